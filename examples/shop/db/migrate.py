"""Brings the database to the present, and ends."""

import os
import urllib.request

STEPS = [
    "create table if not exists things (name text primary key, price integer)",
    "insert or ignore into things values ('lamp', 20), ('table', 90)",
]

for step in STEPS:
    urllib.request.urlopen(os.environ["STYXY_DATABASE_DB_URL"], data=step.encode()).close()
print("the database is up to date", flush=True)
