"Check that the saved outputs of the notebooks hold no errors, no warnings, no paths of a machine, no state of widgets and nothing huge."
import json, re, sys
from pathlib import Path

NBS = Path(__file__).resolve().parent.parent/'nbs'
LARGEST = 250_000  # characters of one output


def faults(output):
    "What is wrong with a saved output"
    text = json.dumps(output)
    if output['output_type'] == 'error': yield f"an error: {output['ename']}"
    if output.get('name') == 'stderr': yield f"something on stderr: {''.join(output['text'])[:80]!r}"
    if found := re.search(r'(?<![\w.:/])/(home|root|tmp|work|Users|usr)/\w+', text): yield f'a path of a machine: {found[0]}'
    if len(text) > LARGEST: yield f'{len(text):,} characters'


def main():
    wrong = [f'{path.name}, cell {i}: {fault}' for path in sorted(NBS.glob('*.ipynb'))
             for i, cell in enumerate(json.loads(path.read_text(encoding='utf-8'))['cells'])
             for output in cell.get('outputs', ()) for fault in faults(output)]
    wrong += [f'{path.name}: state of widgets; delete metadata.widgets, which nbdev_clean keeps' for path in sorted(NBS.glob('*.ipynb'))
              if 'widgets' in json.loads(path.read_text(encoding='utf-8'))['metadata']]
    if wrong: sys.exit('\n'.join(wrong))


if __name__ == '__main__': main()
