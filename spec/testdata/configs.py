"""What Debian's Supervisor makes of whole configuration files.

    configs.py CORPUS

CORPUS is the folder that holds oracle.py, which stubs the machine and parses. Each
line of standard input is a JSON object: main and part are files in base64 (part
may be null; it is included by main), env is the environment. Each line of
standard output is the answer of oracle.py to it.
"""
import base64
import importlib.util
import json
import os
import shutil
import sys
import tempfile

location = importlib.util.spec_from_file_location('oracle', os.path.join(sys.argv[1], 'oracle.py'))
oracle = importlib.util.module_from_spec(location)
location.loader.exec_module(oracle)


def write(path, content):
    with open(path, 'wb') as f:
        f.write(base64.b64decode(content))


base = tempfile.mkdtemp(prefix='spec-differential.')
try:
    os.makedirs(base + '/here/conf.d')
    os.mkdir(base + '/cwd')
    for line in sys.stdin:
        asked = json.loads(line)
        write(base + '/here/supervisord.conf', asked['main'])
        part = base + '/here/conf.d/app.conf'
        if asked['part'] is not None:
            write(part, asked['part'])
        elif os.path.exists(part):
            os.remove(part)
        print(json.dumps(oracle.forked(base, asked['env'])), flush=True)
finally:
    shutil.rmtree(base)
