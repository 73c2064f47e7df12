"""One task for each way in which a task can end badly, or seem to."""

import abuse
import clock
import descriptors
import killing
import leaving
import memory
import orphans
import surroundings
from leoflow import dag

SUBJECTS = (memory, leaving, killing, orphans, descriptors, abuse, surroundings, clock)


@dag("DAG_ID")
def hardship():
    for subject in SUBJECTS:
        for one in subject.TASKS:
            one()


hardship()
