"""Words, each with an opposite and a synonym: our own list.

The opposite and the synonym of one word stand beside the same word and are of the same part of speech, so that the two
kinds of pairs differ in meaning alone. No pair occurs twice, in either order or of either kind.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

PartOfSpeech = Literal["adjective", "adverb", "noun", "verb"]


class Triple(NamedTuple):
    """`antonym` means the reverse of `word`, `synonym` nearly the same."""

    part: PartOfSpeech
    word: str
    antonym: str
    synonym: str


_ADJECTIVES = """
good bad excellent
big small large
cold hot cool
new old recent
high low tall
short long brief
fast slow quick
strong weak powerful
rich poor wealthy
easy difficult simple
hard soft solid
dark bright dim
happy sad glad
wide narrow broad
deep shallow profound
thick thin dense
full empty complete
complete partial entire
clean dirty pure
safe dangerous secure
true false genuine
right wrong correct
private public personal
urban rural metropolitan
major minor main
negative positive adverse
internal external inner
foreign domestic overseas
legal illegal lawful
possible impossible likely
different similar distinct
necessary optional required
expensive cheap costly
wet dry damp
rough smooth coarse
beautiful ugly lovely
sick healthy ill
alive dead living
quiet loud silent
famous obscure celebrated
closed open shut
senior junior elder
absent present missing
permanent temporary lasting
rare common unusual
clever stupid smart
cruel kind brutal
artificial natural synthetic
active passive energetic
specific general particular
primary secondary chief
previous subsequent prior
initial final original
mental physical psychological
single multiple sole
huge tiny enormous
rapid gradual swift
loose tight slack
ordinary extraordinary usual
modern traditional contemporary
guilty innocent convicted
near far close
"""

_VERBS = """
begin end start
win lose gain
buy sell purchase
increase decrease grow
fall rise drop
reject accept refuse
love hate enjoy
remember forget recall
build demolish construct
create destroy produce
attack defend assault
arrive depart come
push pull press
allow prevent permit
laugh cry smile
learn teach study
live die survive
reveal hide show
include exclude contain
strengthen weaken reinforce
encourage discourage urge
criticize praise condemn
appear disappear emerge
gather scatter collect
support oppose help
admit deny acknowledge
start stop launch
expand contract extend
unite divide merge
raise lower lift
hire dismiss employ
find miss discover
"""

_NOUNS = """
war peace conflict
friend enemy companion
failure success collapse
victory defeat win
life death existence
top bottom peak
problem solution issue
answer question response
profit loss gain
cause effect reason
strength weakness power
wealth poverty fortune
joy sorrow delight
truth lie fact
freedom slavery liberty
majority minority bulk
advantage disadvantage benefit
heaven hell paradise
buyer seller customer
student teacher pupil
winner loser champion
guest host visitor
past future history
supply demand provision
income expenditure earnings
ally rival partner
chaos order confusion
hope despair optimism
"""

_ADVERBS = """
often rarely frequently
always never constantly
quickly slowly rapidly
inside outside within
above below over
together apart jointly
forward backward ahead
partly fully partially
temporarily permanently briefly
"""

_LISTS: tuple[tuple[PartOfSpeech, str], ...] = (
    ("adjective", _ADJECTIVES),
    ("adverb", _ADVERBS),
    ("noun", _NOUNS),
    ("verb", _VERBS),
)

TRIPLES: tuple[Triple, ...] = tuple(
    Triple(part, *line.split()) for part, lines in _LISTS for line in lines.strip().splitlines()
)
