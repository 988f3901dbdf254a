"""What Debian's Supervisor reads in files.

Standard input is a JSON list of files in base64; standard output is a list of
{"sections": {name: {key: value}}} or {"error": text}, in the same order. Sections
hold what [DEFAULT] gives them; the file is called conf.
"""
import base64
import io
import json
import os
import sys
import tempfile

from configparser import ParsingError
from supervisor import options


def read(content):
    parser = options.UnhosedConfigParser()
    with open('conf', 'wb') as f:
        f.write(content)
    try:
        with open('conf', encoding='utf-8') as f:
            parser.read_file(f)
    except (ParsingError, UnicodeDecodeError) as why:
        return {'error': str(why)}
    return {'sections': {s: {k: parser.get(s, k) for k in parser.options(s)} for s in parser.sections()}}


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    print(json.dumps([read(base64.b64decode(text)) for text in json.load(sys.stdin)]))
