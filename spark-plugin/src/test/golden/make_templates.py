"""Writes templates.json: chat templates and what transformers renders with them.

The templates are ours; they use the constructs that published ones use.
"""

import json
import pathlib

import jinja2
from transformers import PreTrainedTokenizerFast
from tokenizers import Tokenizer, models

HERE = pathlib.Path(__file__).resolve().parent

CONVERSATIONS = [
    [("user", "Where is the lantern?")],
    [("system", "Be brief."), ("user", " a \n b "), ("assistant", "c"), ("user", "{{ d }} {% e %}")],
    [
        ("user", 'quotes " and \\ and \n lines\n\n'),
        ("assistant", "<think>\nwhy\n</think>\n\nbecause"),
        ("user", "naïve 東京 🙂 \u0001\u2028 <b>&amp;</b>"),
    ],
    [("user", ""), ("assistant", ""), ("user", "x")],
    [("system", ""), ("user", "x"), ("user", "y")],
]

TEMPLATES = {
    "plain-loop": "{{ bos_token }}{% for message in messages %}{{ '<|' + message['role'] + '|>' "
    "+ message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}",
    "attribute-access": "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}",
    "whitespace": """{%- if messages[0]['role'] == 'system' %}
    {%- set opening = messages[0]['content'] %}
{%- else %}
    {%- set opening = 'none' %}
{%- endif %}
{% for message in messages %}
  {% if message.role == 'user' %}
    U {{ message.content }}
  {%- elif message.role == 'assistant' -%}
    A {{- message.content -}}
  {% endif %}
{% endfor %}
[{{ opening }}]
{%- if add_generation_prompt %}
A:
{%- endif %}

""",
    "namespace": """{%- set ns = namespace(system='', first=true, count=0) -%}
{%- for message in messages -%}
{%- if message['role'] == 'system' -%}
{%- if ns.first -%}{%- set ns.system = ns.system + message['content'] -%}{%- set ns.first = false -%}
{%- else -%}{%- set ns.system = ns.system + '\\n\\n' + message['content'] -%}{%- endif -%}
{%- endif -%}{%- set ns.count = ns.count + 1 -%}
{%- endfor -%}
{{ bos_token }}{{ ns.system }}|{{ ns.count }}""",
    "thinking": """{% for message in messages %}{% set content = message['content'] %}
{%- if message['role'] == 'assistant' %}{% if '</think>' in content %}
{%- set content = content.split('</think>')[-1].lstrip('\\n') %}{% endif %}
{{- '<A>' + content + eos_token }}{% else %}{{ '<' + message['role'][0] + '>' + content }}{% endif %}
{%- endfor %}{% if add_generation_prompt %}{{ '<A><think>\\n' }}{% endif %}""",
    "loop-variables": "{% for m in messages %}{{ loop.index }}{{ loop.index0 }}"
    "{% if loop.first %}F{% endif %}{% if loop.last %}L{% endif %}{% if not loop.last %},{% endif %}"
    "{{ loop.length }}{% endfor %}",
    "slices": "{% for m in messages[1:] %}{{ m['content'] }};{% endfor %}"
    "{% for m in messages[:-1] %}{{ m['role'] }};{% endfor %}{{ messages[-1]['content'] }}"
    "{% for m in messages[::-1] %}{{ m['role'] }}{% endfor %}{{ messages[-1].content[1:] }}",
    "tests": "{{ 'T' if tools is defined and tools is not none else 'no tools' }}"
    "{% if documents is not defined or not documents %}no documents{% endif %}"
    "{% if enable_thinking is defined and enable_thinking is false %}no thinking{% endif %}"
    "{% for m in messages %}{% if m.tool_calls is not defined %}-{% endif %}"
    "{% if m['content'] is string %}s{% endif %}{% if m.content is not none %}n{% endif %}"
    "{% if m.content is iterable and m.content is not mapping %}i{% endif %}"
    "{% if m.get('name') %}N{% endif %}{% if 'role' in m %}r{% endif %}{% endfor %}",
    "methods": "{% for m in messages %}{{ m.content.strip() }}|{{ m.content.rstrip('\\n') }}|"
    "{{ m.content.startswith('<think>') }}|{% if m.content.endswith('x') %}x{% endif %}|"
    "{{ m.role.upper() }}|{{ m.role.title() }}|{{ m.content.replace(' ', '_') }}|"
    "{{ m.content.split('\\n')[0] }}|{{ m.role.capitalize() }}{% endfor %}",
    "filters": "{% for m in messages %}{{ m.content | trim }}|{{ m.content | length }}|"
    "{{ m.role | upper }}|{{ m.missing | default('d') }}|{{ m | tojson }}|"
    "{{ m.content | tojson }}{% endfor %}{{ messages | map(attribute='role') | join(', ') }}"
    "{{ messages | length }}{{ messages | selectattr('role', 'equalto', 'user') | list | length }}"
    "{{ messages | tojson(indent=2) }}",
    "operators": "{% for m in messages %}{{ m.role ~ ':' ~ loop.index ~ '\\t' }}"
    "{{ 'odd' if loop.index % 2 == 1 else 'even' }}{{ (loop.index0 + 1) * 2 - 1 }}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}out of turn{% endif %}"
    "{% if m.role in ['user', 'assistant'] and not m.role == 'assistant' or false %}u{% endif %}"
    "{% endfor %}",
    "macro": "{% macro show(role, text, mark='*') %}{{ mark }}{{ role }}{{ mark }}{{ text }}{% endmacro %}"
    "{% for m in messages %}{{ show(m.role, m.content) }}{{ show(m.role, text='t', mark='#') }}"
    "{% endfor %}",
    "refusal": "{% for m in messages %}{% if m.role == 'system' %}"
    "{{ raise_exception('No system message, please') }}{% endif %}{{ m.content }}{% endfor %}",
    "alternation": "{% for m in messages %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}{{ m['content'] }}{% endfor %}",
    "loop-controls": "{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}"
    "{% if loop.index > 3 %}{% break %}{% endif %}{{ m.content }};{% endfor %}",
    "comments": "{# a\n comment #}{% for m in messages %}{#- b -#} {{ m.role }}{% endfor %}\n",
    "generation-tag": "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}"
    "{{ m.content }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}",
    "reverse-search": """{%- set ns = namespace(last=-1) %}
{%- for m in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.last < 0 and m.role == "user" and not(m.content.startswith('<tool>') and m.content.endswith('</tool>')) %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{{- ns.last }}""",
    "filtered-loop": "{% for m in messages if m.role != 'system' %}{{ loop.index }}{{ m.content }}"
    "{% else %}nobody{% endfor %}",
    "literals": "{% set names = {'user': 'Human', 'assistant': 'Robot'} %}{% for m in messages %}"
    "{{ names.get(m.role, 'Other') }}{{ names[m.role] if m.role in names }}{% endfor %}"
    "{% for key, value in names.items() %}{{ key }}={{ value }};{% endfor %}{{ \"it's\" }}{{ 'a\\\\b' }}"
    "{{ true }}{{ none }}{{ 1 + 2 }}{{ 7 // 2 }}",
    "raw": "{% raw %}\n{{ x }}\n{% endraw %}\n  {%- raw -%}  {% y %} {%- endraw %}\n"
    "{% for m in messages %}{% raw %} <{{ %}> {% endraw %}{{ m.role }}{% endfor %}",
    "trimmed-blocks": """{% for m in messages if m.role == 'tool' %}
  {{- m.content -}}
  {% else %}
    {%- set note | trim %}
      none {{ messages[0].role }}
    {% endset %}
    {% filter trim | upper %}  [{{ note }}]
    {% endfilter %}
  {%- endfor -%}
  {#- gone -#}  {{- ' end ' }}
""",
    "missing-filters": "{{ missing | items | list }}{% if nothing %}{{ 'a' | no_such_filter }}{% endif %}"
    "{{ none | selectattr('x') | list }}{{ tools | map(attribute='name') | list }}"
    "{{ missing | length }}{{ missing | join }}{{ 'a' if missing }}",
    "items-of-none": "{% for k, v in none | items %}{{ k }}{% endfor %}",
    "sorting": "{{ messages | map(attribute='role') | sort }}{{ messages | sort(attribute='content') "
    "| map(attribute='content') | join('|') }}{{ messages | map(attribute='role') | unique | list }}"
    "{% for g in messages | groupby('role') %}{{ g.grouper }}={{ g.list | length }};{% endfor %}"
    "{{ {'b': 1, 'A': 2} | dictsort }}{{ {'b': 1, 'A': 2} | dictsort(by='value', reverse=true) }}"
    "{{ [3, 1, 2] | min }}{{ ['b', 'A'] | max }}{{ [1, 2] | sum }}{{ [1, 2, 3] | batch(2) | list }}",
    "numbers": "{{ '12' | int + 1 }}{{ 'x' | int(7) }}{{ '2.5' | float }}{{ 'x' | float }}"
    "{{ 2.567 | round(1) }}{{ 7 / 2 }}{{ 7.0 }}{{ 1e20 }}{{ 0.00001 }}{{ -7 // 2 }}{{ -7 % 3 }}"
    "{{ 2 ** 5 }}{{ -3 | abs }}{{ 0x1f }}{{ 1_000 }}{{ 3 == 3.0 }}{{ true + 1 }}",
    "formats": "{{ '%s has %d of %5.2f|%-4s|%04d' | format('a', 2, 3.14159, 'b', 7) }}"
    "{{ '%s' % messages[0].role }}{{ '{}-{}'.format('x', 1) }}{{ '{0}{n}'.format('y', n=2) }}"
    "{{ 'ab' * 3 }}{{ '%(k)s' | format(k='v') }}",
    "printed-values": "{{ messages }}{{ (1, 'a') }}{{ ('x',) }}{{ [none, true, 1.5] }}"
    "{{ {'k': \"it's\"} }}{{ ns }}{% set ns = namespace(v=1) %}{{ ns }}{{ messages[0].items() | list }}",
    "json-options": "{{ messages | tojson(ensure_ascii=true) }}{{ {'b': 1, 'a': [1.0, none]} "
    "| tojson(sort_keys=true, separators=(',', ':')) }}{{ {} | tojson(indent=1) }}"
    "{{ {'a': []} | tojson(indent='--') }}",
    "call-blocks": "{% macro box(title) %}<{{ title }}>{{ caller(title | upper) }}</>{% endmacro %}"
    "{% for m in messages %}{% call(name) box(m.role) %}{{ name }}{{ m.content }}{% endcall %}"
    "{% endfor %}{% with a=1, b='x' %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}",
    "unpacked-arguments": "{% macro both(a, b, c='z') %}{{ a }}{{ b }}{{ c }}{% endmacro %}"
    "{{ both(*['x', 'y']) }}{{ both('p', **{'b': 'q', 'c': 'r'}) }}"
    "{% for (a, b) in [(1, 2), [3, 4]] %}{{ a + b }},{% endfor %}",
    "loop-history": "{% for m in messages %}{{ loop.previtem.role if loop.previtem is defined }}"
    "{{ loop.nextitem.role if loop.nextitem is defined }}{{ loop.cycle('a', 'b') }}"
    "{{ loop.changed(m.role) }}{{ loop.depth }}{{ loop.revindex }};{% endfor %}",
    "text-methods": "{% for m in messages %}{{ m.content.partition(' ') }}{{ m.content.rsplit(' ', 1) }}"
    "{{ m.content.split(' ', 1) }}{{ m.content.splitlines() }}{{ m.content.split() }}"
    "{{ m.content.find('e') }}{{ m.content.rfind('e') }}{{ m.content.count('e') }}"
    "{{ m.content.replace('e', '3', 1) }}{{ m.content.removeprefix('qu') }}{{ m.content.isalpha() }}"
    "{{ m.content.title() }}{{ m.content | title }}{{ m.content.strip('x ?') }}"
    "{{ m.content.startswith(('W', ' ')) }}{{ m.content | indent(2, true) }}"
    "{{ m.content | wordcount }}{{ m.content | replace('', '.', 2) }}{% endfor %}",
    "text-places": "{% set t = '東京 🙂 tower' %}{{ t[3] }}{{ t[-5:] }}{{ t[::-1] }}{{ t[1:4] }}{{ t[9:2:-2] }}"
    "{{ t | length }}{{ t.find('tower') }}{{ t | first }}{{ t | last }}{{ t | reverse }}{{ t[99] }}|"
    "{{ t[5:99] }}{{ '\\x41\\u00e9\\101' }}",
    "dictionary-access": "{% set v = messages[0].get('nothing') %}{{ v }}{{ messages[0]['content'] is string }}"
    "{{ messages[0].get('role', 'x') }}{{ messages[0]['items'] is defined }}",
    "autoescape": "{% for m in messages %}{{ m.content }}{{ '<&>' }}{% endfor %}",
}

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "find",
            "description": "Finds <things> – in 東京",
            "parameters": {"type": "object", "properties": {"what": {"type": "string"}}},
        },
    }
]

CALLED = [
    {"role": "user", "content": "Where is it?", "name": "Ann"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "find", "arguments": {"what": "it", "n": 2, "p": 0.5}}}
        ],
    },
    {"role": "tool", "content": "here", "tool_call_id": "c1"},
    {"role": "assistant", "content": "There.", "reasoning_content": "Found it."},
    {"role": "user", "content": "Sure?"},
]

BEGUN = [
    {"role": "user", "content": "Where is the lantern?"},
    {"role": "assistant", "content": " The lantern is \n"},
]

# Templates with what they are given beside roles and contents.
OPTIONS = {
    "tools": (
        "{% if tools %}{% for tool in tools %}{{ tool.function.name }}{{ tool | tojson }}\n{% endfor %}"
        "{% else %}none{% endif %}{% for m in messages %}{{ m.role }}:{% endfor %}",
        [dict(messages=CALLED, tools=TOOLS), dict(messages=CALLED)],
    ),
    "variables": (
        "{{ bos_token }}{% for m in messages %}{{ m.role }}{% endfor %}"
        "{% if enable_thinking is defined and not enable_thinking %}</think>{% else %}<think>{% endif %}"
        "{{ reasoning_effort | default('low') }}{{ documents | length if documents else 'no documents' }}",
        [
            dict(messages=BEGUN[:1]),
            dict(messages=BEGUN[:1], variables=dict(enable_thinking=False)),
            dict(messages=BEGUN[:1], variables=dict(enable_thinking=True, reasoning_effort="high")),
            dict(messages=BEGUN[:1], variables=dict(bos_token="<bos>", documents=[{"text": "a"}, {"text": "b"}])),
        ],
    ),
    "fields": (
        "{% for m in messages %}<{{ m.role }}{% if m.name %} {{ m.name }}{% endif %}>"
        "{% if m.reasoning_content is defined %}({{ m.reasoning_content }}){% endif %}"
        "{% if m.content is not none %}{{ m.content }}{% endif %}"
        "{% for call in m.tool_calls or [] %}[{{ call.function.name }} {{ call.function.arguments | tojson }}"
        "{% for k, v in call.function.arguments.items() %}{{ k }}={{ v }};{% endfor %}]{% endfor %}"
        "{% if m.tool_call_id %}#{{ m.tool_call_id }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}",
        [dict(messages=CALLED), dict(messages=CALLED[:2])],
    ),
    "continued": (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}<end>\n{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}",
        [dict(messages=BEGUN, continued=True), dict(messages=BEGUN)],
    ),
    "continued-stripped": (
        "{% for m in messages %}<{{ m.role }}>\n{{ m.content | trim }} <end>{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}",
        [dict(messages=BEGUN, continued=True)],
    ),
    "continued-thoughts": (
        "{% for m in messages %}<{{ m.role }}>{{ m.content.split('</think>')[-1] }}<end>{% endfor %}"
        "{% if add_generation_prompt %}<assistant><think>{% endif %}",
        [
            dict(messages=[BEGUN[0], {"role": "assistant", "content": "<think>I should"}], continued=True),
            dict(messages=[BEGUN[0], {"role": "assistant", "content": "<think>I</think>The"}], continued=True),
        ],
    ),
    "continued-nowhere": (
        "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}",
        [dict(messages=BEGUN, continued=True)],
    ),
}


def render(tokenizer, template, case):
    try:
        case["rendered"] = tokenizer.apply_chat_template(
            case["messages"],
            chat_template=template,
            tools=case.get("tools"),
            add_generation_prompt=not case.get("continued", False),
            continue_final_message=case.get("continued", False),
            tokenize=False,
            **case.get("variables", {}),
        )
    except Exception as problem:
        raised = type(problem) is jinja2.TemplateError
        case["refused" if raised else "failed"] = str(problem)
    return case


def main():
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.BPE({"a": 0}, [])), bos_token="<s>", eos_token="</s>"
    )
    rows = []
    for name, template in TEMPLATES.items():
        cases = []
        for conversation in CONVERSATIONS:
            messages = [dict(role=role, content=content) for role, content in conversation]
            cases.append(render(tokenizer, template, dict(messages=messages)))
        rows.append(dict(name=name, template=template, cases=cases))
    for name, (template, cases) in OPTIONS.items():
        cases = [render(tokenizer, template, dict(case)) for case in cases]
        rows.append(dict(name=name, template=template, cases=cases))
    text = json.dumps(rows, ensure_ascii=False, indent=1)
    (HERE / "templates.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
