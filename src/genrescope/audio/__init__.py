"""Sound and nothing else.

`genrescope.audio.probe` reads headers, `genrescope.audio.decode` samples, and
`genrescope.audio.fit` brings them to the length of a clip. `genrescope.audio.fingerprint` and
`genrescope.audio.matches` recognise a recording again. Errors are
`genrescope.errors.AudioError`, one sentence each, of the kinds `unreadable`, `truncated`,
`too-short`, `silent` and `non-finite`.
"""
