"""The rows of django-celery-beat: each fires once, however many dispatchers run, as a Celery message to its queue.

`changes` notices edits and says which rows are to be looked at, `entry` asks the library itself whether one is due,
`fire` decides in the database, `post` sends what is decided, `duty` is the dispatcher's turn at all of it.
"""
