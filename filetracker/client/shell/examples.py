"""What the commands show below their options: explanations and examples."""

EPILOG = """\
Examples:

  filetracker put answers.txt /contest/7/answers.txt
  filetracker get /contest/7/answers.txt copy.txt
  filetracker ls -l /contest/7
  filetracker get -R /contest/7 .

FILETRACKER_URL and FILETRACKER_DIR in the environment stand in for --remote-url and --cache-dir.
FILETRACKER_CACHE_SIZE (8G) is how large the cache may become. Each command explains itself with
--help. The exit status is 0 when all was done, 1 when something failed, 2 for wrong usage.
"""

GET = """\
Several files, or --recursive with a directory that is there, are saved in a directory, each under
the last part of its name, as cp does it. FILE "-" is the standard output; what is neither a file
nor a directory (a named pipe) is written into. Any other FILE is replaced when all has come.

Examples:

  filetracker get /contest/7/answers.txt copy.txt
  filetracker get /contest/7/answers.txt@1700000000 -
  filetracker get /contest/7/in1.txt /contest/7/in2.txt tests/
  filetracker get -R /contest/7 copy         # copy/answers.txt, or copy/7/answers.txt
  filetracker get -t tests /contest/7/in1.txt
"""

CAT = """\
Examples:

  filetracker cat /contest/7/answers.txt | head
  filetracker cat /contest/7/in1.txt /contest/7/in2.txt > all.txt
"""

PUT = """\
Several files, and those after -t, get names below NAME, each with its own last part; a single one
gets the name NAME itself. FILE "-" is the standard input. With --recursive a FILE may be a
directory: what is in it gets names below NAME.

Examples:

  filetracker put answers.txt /contest/7/answers.txt
  make-answers | filetracker put - /contest/7/answers.txt
  filetracker put in1.txt in2.txt /contest/7       # /contest/7/in1.txt, /contest/7/in2.txt
  filetracker put -R tests /contest/7              # tests/a/in is /contest/7/a/in
  filetracker put -R -t /contest/7 tests           # tests/a/in is /contest/7/tests/a/in
"""

LS = """\
Names are printed whole, one on a line; those of directories end in "/".

Examples:

  filetracker ls                              # what is at the top
  filetracker ls -R /contest/7                # all files, at any depth
  filetracker ls -l --json /contest/7
"""

STAT = """\
Examples:

  filetracker stat /contest/7/answers.txt
  filetracker stat --json /contest/7/answers.txt
"""

RM = """\
Examples:

  filetracker rm /contest/7/in1.txt /contest/7/in2.txt
  filetracker rm -R /contest/7                # all files below it
"""
