"""Where the time of an iterator went: measured, added up, and told.

::

    meter     what each batch took                 timeline  when each stage was, and who computed
      └─> report   figures, by epoch and in all      └─> trace   a file for a viewer of timelines
            ├─> advice   one sentence: what to change
            └─> tables -> text, html, plot, dictionary
"""
