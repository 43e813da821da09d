"""Music rendered by code: the instruments, the parts and the styles of the built-in corpora.

Nothing here knows about files or tables; `genrescope.corpora.synthetic` writes and indexes what
these modules render. Everything is mono at 22,050 Hz and follows from a seed.
"""
