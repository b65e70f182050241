"""The keeper: a helper process, one per worker, that starts, reaps and ends everything the shell executor runs.

Why a process of its own: it is small and single-threaded, so that a spawn is a bare fork and exec; it is the
subreaper of all it starts, so that no grandchild gets away; and it outlives the worker by the moment it takes
to end all of it, however the worker died.

They talk over one `SOCK_SEQPACKET` pair, a marshalled value per message. Worker to keeper:
`("spawn", id, argv, env, cwd, prologue, grace)` with the output pipe's write end attached, `("kill", id, grace)`, and
`("lease", seconds)`: unless another one comes in that time, all commands are ended. Keeper to worker, a list of:
`("exited", id, code)`, `("refused", id, sentence)` where the command is at fault, `("unable", id, sentence)` where the
machine is, `("gone", id, pids of survivors)`. The end of the connection means: end everything, then exit.

`client`, `connection`, `pipes` and `orphans` belong to the worker. The other modules run in the keeper and import
little: it is to stay below 12 MB.
"""
