"Render README.md from nbs/index.ipynb, with nbdev's own processors (no Quarto needed). `--check`: only compare."
import re, sys
from pathlib import Path

from execnb.nbio import write_nb
from nbconvert import MarkdownExporter
from nbdev.process import NBProcessor
from nbdev.processors import FilterDefaults
import nbformat

ROOT = Path(__file__).resolve().parent.parent


def render():
    nb = NBProcessor(ROOT/'nbs'/'index.ipynb', procs=FilterDefaults().procs(), process=True).nb
    tmp = ROOT/'nbs'/'_readme.ipynb'
    try:
        write_nb(nb, tmp)
        text, _ = MarkdownExporter().from_notebook_node(nbformat.read(tmp, as_version=4))
    finally: tmp.unlink(missing_ok=True)
    text = text.replace('](images/', '](nbs/images/')  # pictures lie beside the notebook, README.md one folder higher
    text = re.sub(r'^---\n.*?\n---\n', '', text, flags=re.S)  # nbdev's front matter is for web sites
    text = re.sub(r'\n{3,}', '\n\n', text).strip()
    return f'<!-- Rendered from nbs/index.ipynb by scripts/render_readme.py; edit the notebook. -->\n\n{text}\n'


def main():
    path, text = ROOT/'README.md', render()
    if '--check' not in sys.argv: path.write_text(text, encoding='utf-8')
    elif path.read_text(encoding='utf-8') != text: sys.exit('README.md is not what nbs/index.ipynb renders to: run scripts/render_readme.py')


if __name__ == '__main__': main()
