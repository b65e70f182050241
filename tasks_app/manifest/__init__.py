"""Tasks as code: a YAML file that says which tasks there shall be.

`reading` makes tasks of the file, `changes` compares them with those that there are and carries out the difference,
`writing` makes the file of tasks. A task that a file has made is managed by it (`Task.managed_by`).
"""
