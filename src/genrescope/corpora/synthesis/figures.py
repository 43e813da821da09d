"""The rhythmic vocabulary, as data: one bar is sixteen characters.

Drums: ``X`` accent, ``x`` stroke, ``o`` ghost stroke, ``?`` stroke now and then.
Bass: ``r`` root, ``t`` third, ``f`` fifth, ``s`` sixth, ``v`` seventh, ``o`` octave, ``l`` the
fourth below.
Comping: ``C`` chord held to the next event, ``c`` short chord, ``m`` muted power chord,
``n`` the same with its sixth (boogie), ``1`` to ``5`` single chord tones that ring.
"""

# Two-bar patterns are 32 characters; a voice is a key of `drums.VOICES`.
DRUMS: dict[str, dict[str, str]] = {
    "shuffle": {
        "kick": "X.......x.....?.",
        "snare": "....X.......X...",
        "ride": "X...x.x.X...x.x.",
    },
    "slow blues": {
        "kick": "X.....x.x.......",
        "snare": "....X..o....X..o",
        "hat": "x.x.x.x.x.x.x.x.",
    },
    "train": {"kick": "X...x...X...x...", "snare": "o.oXo.oXo.oXo.oX", "hat": "..x...x...x...x."},
    "brushes": {
        "kick": "x.......x.......",
        "snare": "o.o.x.o.o.o.x.oo",
        "ride": "x...x.x.x...x.x.",
    },
    "boom-bap": {
        "kick": "X.....?xx.x.....X..x....x.x...?.",
        "snare": "....X..o....X...",
        "hat": "x.x.x.x.x.x.xox.",
    },
    "half-time": {
        "kick": "X..x......x...x.",
        "snare": "........X.......",
        "hat": "x.x.x.x.x.x.x.xx",
    },
    "trap": {
        "kick": "X.....x...?...x.X..x......x.....",
        "clap": "........X.......",
        "hat": "xoxoxoxoxxxoxoxxxoxoxoxoxoxxxxxx",
    },
    "break": {"kick": "X.x.......xx....", "snare": "....X..o.o..X..o", "hat": "x.x.x.x.x.x.x.x."},
    "four-on-floor": {
        "kick": "X...X...X...X...",
        "snare": "....x.......x...",
        "open": "..x...x...x...x.",
        "hat": "x.o.x.o.x.o.x.oo",
    },
    "disco sixteenths": {
        "kick": "X...X...X...X...",
        "snare": "....X.......X..?",
        "hat": "xoxoxoxoxoxoxoxo",
        "open": "..............x.",
    },
    "club": {
        "kick": "X...X...X...X...",
        "clap": "....X.......X...",
        "open": "..X...X...X...X.",
        "shaker": "oxoxoxoxoxoxoxox",
    },
    "dance break": {
        "kick": "X...X...X..xX.x.",
        "clap": "....X..x....X...",
        "hat": "..X...X...X...Xx",
    },
    "pop backbeat": {
        "kick": "X.......x.x.....",
        "snare": "....X.......X...",
        "hat": "x.x.x.x.x.x.x.x.",
    },
    "pop sixteenths": {
        "kick": "X..x....x.x..?..",
        "clap": "....X.......X...",
        "shaker": "xoxoxoxoxoxoxoxo",
    },
    "ballad": {"kick": "X.........x.....", "snare": "........X.......", "hat": "x...x...x...x..."},
    "rnb": {"kick": "X..x......x..x..", "snare": "....X..o.o..X...", "hat": "xoxxxoxoxoxxxoxo"},
    "neo-soul": {"kick": "X......x..x.....", "rim": "....X.......X..?", "hat": "x.xox.x.x.xox.xx"},
    "rock eighths": {
        "kick": "X.......x.x.....",
        "snare": "....X.......X...",
        "hat": "X.x.X.x.X.x.X.x.",
    },
    "rock drive": {
        "kick": "X..x..x.X..x..x.",
        "snare": "....X.......X...",
        "open": "X.x.X.x.X.x.X.x.",
    },
    "rock half": {
        "kick": "X.....x...x.....",
        "snare": "........X.......",
        "ride": "X...x...X...x...",
    },
    "punk": {"kick": "X..xX..xX..xX..x", "snare": "..X...X...X...X.", "hat": "X.x.X.x.X.x.X.x."},
    "double kick": {
        "kick": "xxxxxxxxxxxxxxxx",
        "snare": "....X.......X...",
        "ride": "X...X...X...X...",
    },
    "gallop": {"kick": "x.xxx.xxx.xxx.xx", "snare": "....X.......X...", "open": "X...X...X...X..."},
    "blast": {"kick": "x.x.x.x.x.x.x.x.", "snare": ".x.x.x.x.x.x.x.x", "ride": "x.x.x.x.x.x.x.x."},
    "breakdown": {
        "kick": "X..x..x...x.xx..",
        "snare": "........X.......",
        "crash": "X...X...X...X...",
    },
    "jangdan": {"kick": "X.....x.....x...", "tom": "...x..o.x..o..x.", "rim": "o.x.o.x.x.o.x.o."},
    "percussion": {
        "tom": "X..x..x...x.x...",
        "shaker": "xoxxxoxxxoxxxoxx",
        "rim": "..x...x...x..x..",
    },
}

BASS: dict[str, str] = {
    "roots": "r...r...r...r...",
    "eighths": "r.r.r.r.r.r.r.r.",
    "sustained": "r...............",
    "halves": "r.......f.......",
    "boogie": "r.r.t.t.f.f.s.s.",
    "walking": "r...t...f...s...",
    "shuffle": "r..rf..fs..sf..f",
    "octaves": "r.o.r.o.r.o.r.o.",
    "octave sixteenths": "r.oor.oor.oor.oo",
    "funk": "r..r..o.r.v...o.",
    "offbeat": "..r...r...r...r.",
    "sub": "r.....r...r.....",
    "long sub": "r.........r.....",
    "hip walk": "r..r..f...v.r...",
    "syncopated": "r..r..r...f.r...",
    "pop": "r..r..r.r..r..r.",
    "gallop": "r.rrr.rrr.rrr.rr",
    "sixteenths": "rrrrrrrrrrrrrrrr",
    "riff": "r..r.r..t..f.r..",
    "folk": "r.......l.......",
}

COMPS: dict[str, str] = {
    "pad": "C...............",
    "halves": "C.......C.......",
    "quarters": "C...C...C...C...",
    "strum": "C.c.c.Ccc.C.c.C.",
    "folk strum": "C...c.c...c.c.c.",
    "shuffle chops": "..c...c...c...c.",
    "backbeat chops": "....c.......c...",
    "boogie": "m.m.n.n.m.m.n.n.",
    "chank": "c.cc.cc.c.cc.cc.",
    "offbeat": "..c...c...c...c.",
    "stabs": "c..c..c...c.....",
    "house stabs": "..c..c..c..c..c.",
    "loop hit": "C.....c...c.....",
    "power eighths": "m.m.m.m.m.m.m.m.",
    "power open": "C.......C...C...",
    "power drive": "C.m.m.C.m.m.C.m.",
    "gallop": "m.mmm.mmm.mmm.mm",
    "tremolo": "mmmmmmmmmmmmmmmm",
    "chugs": "m..m..m...m.mm..",
    "arpeggio": "1.2.3.4.3.2.3.2.",
    "fast arpeggio": "1234323412343234",
    "picking": "1.3.2.3.1.4.2.3.",
    "broken": "1...3...2...4...",
    "syncopated keys": "C..c..C...c.C...",
    "trance gate": "c.ccc.ccc.ccc.cc",
    "staccato": "c.c.c.c.c.c.c.c.",
    "sixteenth ostinato": "1.131.131.131.13",
}

# density: notes a bar; leap: chance of a jump; rest: chance of a silent bar; span: semitones
LEADS: dict[str, dict[str, float]] = {
    "sung": {"density": 5.0, "leap": 0.15, "rest": 0.2, "low": 57, "span": 14},
    "sung high": {"density": 6.0, "leap": 0.2, "rest": 0.15, "low": 62, "span": 14},
    "ballad": {"density": 3.5, "leap": 0.25, "rest": 0.15, "low": 57, "span": 15},
    "blues licks": {"density": 6.0, "leap": 0.3, "rest": 0.35, "low": 60, "span": 17},
    "rap": {"density": 11.0, "leap": 0.0, "rest": 0.08, "low": 45, "span": 6},
    "shout": {"density": 6.0, "leap": 0.1, "rest": 0.2, "low": 52, "span": 10},
    "hook": {"density": 7.0, "leap": 0.3, "rest": 0.1, "low": 67, "span": 14},
    "riff": {"density": 8.0, "leap": 0.2, "rest": 0.05, "low": 52, "span": 12},
    "shred": {"density": 13.0, "leap": 0.1, "rest": 0.15, "low": 64, "span": 22},
    "sparse": {"density": 2.5, "leap": 0.3, "rest": 0.3, "low": 64, "span": 14},
}
