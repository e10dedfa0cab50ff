"Check links: between notebooks, as JupyterLab follows them (`python scripts/docs/links.py`), and within the built site."
import json, re, sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

NBS = Path(__file__).resolve().parent.parent.parent/'nbs'
LOADS = {'img': 'src', 'script': 'src', 'iframe': 'src', 'source': 'src', 'video': 'src', 'object': 'data'}  # what a page needs by itself


def _prose(path):
    "The markdown of a notebook, without its code"
    cells = json.loads(path.read_text(encoding='utf-8'))['cells']
    text = '\n\n'.join(''.join(o['source']) for o in cells if o['cell_type'] == 'markdown')
    return re.sub(r'```.*?```|`[^`\n]*`', '', text, flags=re.S)


def _headings(path): return {o.strip().replace(' ', '-') for o in re.findall(r'^#+ (.*)', _prose(path), re.M)}


def broken_in_notebooks(folder=NBS):
    "A line for each link in the notebooks whose file or heading isn't there"
    res = []
    for path in sorted(folder.glob('[!_.]*.ipynb')):
        for link in re.findall(r'\]\(([^)\s]+)\)|\b(?:src|href)="([^"]+)"', _prose(path)):
            url = urlsplit(next(filter(None, link)))
            if url.scheme or url.netloc: continue
            target = path.parent/unquote(url.path) if url.path else path
            if not target.exists(): res.append(f'{path.name}: {url.geturl()} is not there')
            elif url.fragment and target.suffix == '.ipynb' and unquote(url.fragment) not in _headings(target):
                res.append(f'{path.name}: {target.name} has no heading {url.fragment!r}')
    return res


class _Page(HTMLParser):
    "Ids, links, and what is loaded by a page"
    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loads = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids |= {values[k] for k in ('id', 'name') if values.get(k)}
        if tag == 'link' and values.get('rel') in ('stylesheet', 'preload', 'icon', 'preconnect'): self.loads.append(values.get('href'))
        elif tag in LOADS and values.get(LOADS[tag]): self.loads.append(values[LOADS[tag]])
        elif tag in ('a', 'area', 'link') and values.get('href'): self.links.append(values['href'])


def _local(url, page, folder):
    "The file that a link leads to"
    target = (page.parent/unquote(url.path) if url.path else page).resolve()
    return target/'index.html' if target.is_dir() else target


def check_site(folder):
    "Broken links, other hosts and how often they are linked, and (page, URL) of what is loaded from there"
    folder = Path(folder).resolve()
    pages = {o: _Page(o.read_text(encoding='utf-8')) for o in sorted(folder.rglob('*.html'))}
    broken, foreign, loaded = [], Counter(), []
    for path, page in pages.items():
        name = path.relative_to(folder)
        for link in page.links + page.loads:
            url = urlsplit(link)
            if url.scheme in ('data', 'mailto', 'javascript'): continue
            if url.scheme or url.netloc:
                foreign[url.netloc] += 1
                if link in page.loads: loaded.append((name, link))
                continue
            target = _local(url, path, folder)
            if not target.is_relative_to(folder): broken.append(f'{name}: {link} leads out of the site')
            elif not target.exists(): broken.append(f'{name}: {link} is not there')
            elif url.fragment and target in pages and unquote(url.fragment) not in pages[target].ids:
                broken.append(f'{name}: {link}: the page has no place of that name')
    for path in sorted(folder.rglob('*.css')):
        for url in re.findall(r'(?:url\(|@import\s+)[\'"]?(https?:[^\'")]+|//[^\'")]+)', path.read_text(encoding='utf-8')):
            loaded.append((path.relative_to(folder), url))
    return list(dict.fromkeys(broken)), foreign, loaded


if __name__ == '__main__':
    if broken := broken_in_notebooks(): sys.exit('\n'.join(broken))
