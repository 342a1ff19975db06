"""Word vectors and BERTs as encoders: how they read examples, and the rows of features that they give."""
