"Build the documentation site `_docs` from the saved notebooks with Sphinx and myst-nb: in reading order, with an API table, searchable."
import argparse, ast, json, re, shutil, sys, time
from pathlib import Path
from tempfile import TemporaryDirectory

import links

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
NBS, LIB = ROOT/'nbs', ROOT/'hpa_nb'
# Each part begins with the first notebook whose number is not below this one.
PARTS = {'00': 'Images and labels', '06': 'Folds that do not leak', '08': 'Training', '13': 'Predictions and decisions',
         '16': 'What goes wrong', '17': 'Similar images', '18': 'Experiments', '18b': 'Your own images'}
RUN = ('train', 'lr_find', 'decide', 'diagnosis_report', 'inference')  # the notebooks that papermill runs, in the order of use


def parts():
    "Title of each part -> names of its notebooks, in reading order; whatever has no number comes last"
    names = sorted((o.stem for o in NBS.glob('[!_.]*.ipynb') if o.stem != 'index' and not o.stem.startswith('out')),
                   key=lambda o: o.replace('_', ' '))
    res = {title: [] for title in PARTS.values()}
    for name in names:
        if name[0].isdigit(): res[PARTS[max(o for o in PARTS if o <= name.split('_')[0])]].append(name)
    rest = [o for o in names if not o[0].isdigit()]
    res['Notebooks to run'] = sorted(rest, key=lambda o: (RUN.index(o) if o in RUN else len(RUN), o))
    return {title: o for title, o in res.items() if o}


def _signature(node):
    "The names of a function's arguments, without `self`"
    a = node.args
    names = [*(o.arg for o in a.posonlyargs + a.args), *([f'*{a.vararg.arg}'] if a.vararg else ['*'] if a.kwonlyargs else []),
             *(o.arg for o in a.kwonlyargs), *([f'**{a.kwarg.arg}'] if a.kwarg else [])]
    return ', '.join(o for o in names if o not in ('self', 'cls'))


def symbols(module):
    "(name, arguments, first line of its docstring) of each public function, class and method of a module, and the module's docstring"
    tree = ast.parse((LIB/f'{module}.py').read_text(encoding='utf-8'))
    res = []
    def add(node, prefix=''):
        if node.name.startswith('_'): return
        line = (ast.get_docstring(node) or '').split('\n')[0]
        if isinstance(node, ast.ClassDef):
            init = next((o for o in node.body if isinstance(o, ast.FunctionDef) and o.name == '__init__'), None)
            res.append((node.name, _signature(init) if init else None, line))
            for o in node.body:
                if isinstance(o, ast.FunctionDef) and ast.get_docstring(o): add(o, f'{node.name}.')
        elif line or not prefix: res.append((prefix + node.name, _signature(node), line))
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)): add(node)
    return res


def _source(cell): return ''.join(cell['source'])


def _defined(source):
    "Names of the public functions and classes that a cell defines"
    return [o.name for o in ast.parse(source).body if isinstance(o, (ast.FunctionDef, ast.ClassDef)) and o.name[0] != '_']


def _without_local_links(outputs):
    "Outputs whose links into `results/`, which only the machine that ran them has, are plain words"
    def plain(text): return re.sub(r'\[([^\]]*)\]\((?:\.\./)*results/[^)]*\)', r'\1', text)
    def clean(output):
        text = output.get('data', {}).get('text/markdown')
        return output if text is None else output | {'data': output['data'] | {'text/markdown': plain(''.join(text))}}
    return [clean(o) for o in outputs]


def prepare(nb, module):
    "The notebook as the site shows it: directives and hidden cells left out, a place to link to before each definition"
    res = []
    for cell in nb['cells']:
        if cell['cell_type'] == 'raw': continue  # nbdev's front matter
        if cell['cell_type'] == 'code':
            directives = re.findall(r'^#\|\s*([^\n]*)', _source(cell), re.M)
            if any(re.match(r'hide\b|default_exp\b', o) for o in directives): continue
            source = re.sub(r'^#\|.*\n?', '', _source(cell), flags=re.M)
            if not source.strip(): continue
            tags = ['exported'] * ('export' in directives) + ['remove-input'] * ('echo: false' in directives)
            if names := _defined(source) if tags[:1] == ['exported'] else []:
                places = ''.join(f'<div class="symbol" id="{module}.{o}"></div>' for o in names)
                res.append(dict(cell_type='markdown', id=f'symbol-{len(res)}', metadata={}, source=places))
            cell = cell | dict(source=source, outputs=_without_local_links(cell['outputs']), metadata=cell['metadata'] | {'tags': tags})
        res.append(cell)
    return nb | {'cells': res}


def _toctree(title, names):
    return f'```{{toctree}}\n:caption: {title}\n:hidden:\n\n' + '\n'.join(names) + '\n```\n'


def _api(modules):
    "The page with all public names: module -> (notebook, symbols)"
    text = ['# All functions and classes\n\nBy module, in reading order. A name leads to its source, where its arguments are explained.\n']
    for module, (name, found) in modules.items():
        if not found: continue
        text.append(f'\n## hpa_nb.{module}\n\n[{name}]({name}.ipynb)\n\n| name | what it does |\n|---|---|')
        for symbol, arguments, line in found:
            page = f"{name}.html#{module}.{symbol.split('.')[0]}"
            call = '' if arguments is None else f'({arguments})'
            line = line.replace('|', '\\|')
            text.append(f'| <a href="{page}"><code>{symbol}</code></a><code class="arguments">{call}</code> | {line} |')
    return '\n'.join(text) + '\n'


def write_source(folder):
    "Write what Sphinx reads"
    modules, found = {}, parts()
    for name in ['index', *(o for names in found.values() for o in names)]:
        nb = json.loads((NBS/f'{name}.ipynb').read_text(encoding='utf-8'))
        exported = re.findall(r'^#\|\s*default_exp\s+(\w+)', '\n'.join(_source(o) for o in nb['cells']), re.M)
        module = exported[0] if exported else None
        if module and (LIB/f'{module}.py').exists(): modules[module] = name, symbols(module)
        nb = prepare(nb, module)
        if name == 'index':
            tree = ''.join(_toctree(title, names) for title, names in found.items()) + _toctree('Reference', ['api'])
            nb['cells'].append(dict(cell_type='markdown', id='toctree', metadata={}, source=tree))
        nb['metadata']['language_info'] = {'name': 'python', 'pygments_lexer': 'ipython3'}
        (folder/f'{name}.ipynb').write_text(json.dumps(nb), encoding='utf-8')
    (folder/'api.md').write_text(_api(modules), encoding='utf-8')
    places = {m: (name, [o[0] for o in found if '.' not in o[0]]) for m, (name, found) in modules.items()}
    (folder/'symbols.json').write_text(json.dumps(places), encoding='utf-8')
    shutil.copytree(NBS/'images', folder/'images')


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=ROOT/'_docs', help='folder of the site, replaced as a whole (default: _docs)')
    args = parser.parse_args()
    if broken := links.broken_in_notebooks(NBS): sys.exit('\n'.join([*broken, f'{len(broken)} broken links in notebooks']))

    from sphinx.cmd.build import main as sphinx
    start, out = time.perf_counter(), args.out.resolve()
    if out.exists() and not (out/'searchindex.js').exists(): sys.exit(f'{out} is there, and no site: choose another folder')
    with TemporaryDirectory() as tmp:
        source, site = Path(tmp)/'source', Path(tmp)/'site'
        source.mkdir()
        write_source(source)
        code = sphinx(['-b', 'html', '-c', str(HERE), '-d', str(Path(tmp)/'doctrees'), '-W', '--keep-going', '-q', '-j', '2',
                       str(source), str(site)])
        if code: sys.exit(code)
        (site/'.buildinfo').unlink(missing_ok=True)
        if out.exists(): shutil.rmtree(out)
        shutil.copytree(site, out)
    broken, foreign, loaded = links.check_site(out)
    size = sum(o.stat().st_size for o in out.rglob('*') if o.is_file())
    print(f"{out}: {len(list(out.glob('*.html')))} pages, {size / 2**20:.1f} MB, {time.perf_counter() - start:.0f} s")
    print('links to other hosts, not checked: ' + ', '.join(f'{k} ({n})' for k, n in sorted(foreign.items())))
    broken += [f'{page}: loads {url} from another host' for page, url in loaded]
    if broken: sys.exit('\n'.join([*broken, f'{len(broken)} broken links']))


if __name__ == '__main__': main()
