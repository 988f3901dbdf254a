"""What Debian's Supervisor makes of single values.

Standard input is a JSON list of [parser, text]; standard output is a list of
{"value": ...} or {"error": text}, in the same order.
"""
import json
import shlex
import sys

from supervisor import datatypes, options

NAMES = {'here': '/etc/app', 'program_name': "it's", 'empty': '', 'one': 'é', 'process_num': 7,
         'numprocs': 12, 'minus': -3, 'ENV_HOME': '/root', 'ENV_N': '42'}


def clamp(n):
    return max(-2**63, min(2**63 - 1, int(n)))


def autorestart(text):
    value = datatypes.auto_restart(text)
    return {datatypes.RestartUnconditionally: 'always', datatypes.RestartWhenExitUnexpected: 'unexpected',
            False: 'never'}[value]


PARSERS = {
    'integer': lambda s: clamp(datatypes.integer(s)),
    'bytes': lambda s: clamp(datatypes.byte_size(s)),
    'boolean': datatypes.boolean,
    'octal': lambda s: clamp(datatypes.octal_type(s)),
    'exitcodes': datatypes.list_of_exitcodes,
    'autorestart': autorestart,
    'signal': lambda s: int(datatypes.signal_number(s)),
    'loglevel': lambda s: s.lower() if datatypes.logging_level(s) else None,
    'inetport': datatypes.inet_address,
    'name': datatypes.process_or_group_name,
    'environment': datatypes.dict_of_key_value_pairs,
    'split': shlex.split,
    'repr': repr,
    'expand': lambda s: options.expand(s, NAMES, 'program:p.command'),
}


def answer(parser, text):
    try:
        return {'value': PARSERS[parser](text)}
    except ValueError as e:
        return {'error': str(e)}


json.dump([answer(*asked) for asked in json.load(sys.stdin)], sys.stdout)
