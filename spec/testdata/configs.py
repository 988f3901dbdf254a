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
import re
import resource
import shutil
import signal
import sys
import tempfile

location = importlib.util.spec_from_file_location('oracle', os.path.join(sys.argv[1], 'oracle.py'))
oracle = importlib.util.module_from_spec(location)
location.loader.exec_module(oracle)


def write(path, content):
    with open(path, 'wb') as f:
        f.write(base64.b64decode(content))


class Worker:
    """A process in which oracle.py answers a few questions, one after the other: to fork
    for each costs twenty times what an answer does. Not more than a few, since oracle.py
    stubs the machine for each answer anew."""

    def __init__(self):
        questions, self.questions = os.pipe()
        self.answers, answers = os.pipe()
        self.left = 40
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.questions)
            os.close(self.answers)
            try:
                resource.setrlimit(resource.RLIMIT_AS, (oracle.MEM_LIMIT, oracle.MEM_LIMIT))
                for question in os.fdopen(questions):
                    signal.alarm(oracle.TIME_LIMIT_S)
                    result = oracle.child(base, json.loads(question), False, False)
                    signal.alarm(0)
                    os.write(answers, (json.dumps(result) + '\n').encode())
            finally:
                os._exit(1)
        os.close(questions)
        os.close(answers)
        self.questions = os.fdopen(self.questions, 'w')
        self.answers = os.fdopen(self.answers)

    def answer(self, env):
        """The answer, or None: it took too long or too much."""
        self.left -= 1
        self.questions.write(json.dumps(env) + '\n')
        self.questions.flush()
        line = self.answers.readline()
        return json.loads(line) if line.endswith('\n') else None

    def end(self):
        self.questions.close()
        self.answers.close()
        os.waitpid(self.pid, 0)


def without_base(result):
    """The directories have names, as in the answers of oracle.forked."""
    text = json.dumps(result, ensure_ascii=False)
    for sub, name in (('/here', '@HERE@'), ('/cwd', '@CWD@'), ('', '@BASE@')):
        text = re.sub(re.escape(base + sub) + r'(?![\w.-])', name, text)
    return json.loads(text)


base = tempfile.mkdtemp(prefix='spec-differential.')
worker = Worker()
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
        result = worker.answer(asked['env'])
        if result is None or result.get('kind') == 'memory':
            result = oracle.forked(base, asked['env'])
            worker.left = 0
        else:
            result = without_base(result)
        if worker.left == 0:
            worker.end()
            worker = Worker()
        print(json.dumps(result), flush=True)
finally:
    worker.end()
    shutil.rmtree(base)
