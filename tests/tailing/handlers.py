"""A script as teams run it on a schedule, with one of Python's own handlers that rotate.

handlers.py KIND LOG TRUTH RECORDS: logs so many records, now and then with a traceback, to LOG
as KIND rotates it, and the same to TRUTH, which is never rotated.
"""

import gzip
import logging
import logging.handlers
import os
import shutil
import sys
import time

kind, log, truth, records = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])


def by_size():
    return logging.handlers.RotatingFileHandler(log, maxBytes=20_000, backupCount=1000, encoding="utf-8")


def by_size_compressed():
    """As the cookbook of Python's documentation compresses: written beside, then the plain one removed."""

    def rotate(source, target):
        with open(source, "rb") as plain, gzip.open(target, "wb") as compressed:
            shutil.copyfileobj(plain, compressed)
        os.remove(source)

    handler = by_size()
    handler.namer = lambda name: name + ".gz"
    handler.rotator = rotate
    return handler


def by_time():
    return logging.handlers.TimedRotatingFileHandler(log, when="S", interval=1, encoding="utf-8")


def by_another():
    """Somebody else renames the file, as logrotate does without copytruncate."""
    return logging.handlers.WatchedFileHandler(log, encoding="utf-8")


handler = globals()[kind]()
logger = logging.getLogger("report")
logger.setLevel(logging.DEBUG)
for it in (handler, logging.FileHandler(truth, encoding="utf-8")):
    it.setFormatter(logging.Formatter("%(asctime)s - %(name)s - %(levelname)s - %(message)s"))
    logger.addHandler(it)

renamed = 0
for number in range(records):
    if number % 50 == 49:
        try:
            {}["commande"]
        except KeyError:
            logger.exception("record %06d: the order is not there", number)
    else:
        logger.info("record %06d: café, %s", number, "x" * (number % 90))
    # The second changes in the middle of it all, whatever the machine.
    if number % (records // 4) == 0:
        if kind == "by_time":
            time.sleep(1)
        elif kind == "by_another" and number > 0:
            os.rename(log, f"{log}-{number}")
