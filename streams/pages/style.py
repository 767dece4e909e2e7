"""The one stylesheet of the ops views. Nothing is loaded from elsewhere; light or dark as the reader's system is."""

from typing import Final

CSS: Final = """
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --text: #1b2330; --dim: #66728a; --line: #e2e6ed; --link: #1f5fbf; --stripe: #f9fafc;
  --mark: #fff3c9;
  --good: #17724a; --good-back: #dcf3e7; --busy: #1f5fbf; --busy-back: #e0ebfb; --warn: #8a5a00; --warn-back: #fdeecb;
  --bad: #a8281f; --bad-back: #fbe1de;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161d; --card: #1a202a; --text: #e3e8f0; --dim: #93a0b5; --line: #2c3543; --link: #7fb0ff; --stripe: #1d2430;
  --mark: #4a3f16;
    --good: #7fdcae; --good-back: #153a2a; --busy: #9cc2ff; --busy-back: #1b3154; --warn: #f0c674; --warn-back: #43330f;
    --bad: #ff9c92; --bad-back: #4a1d19;
  }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--text); font: 14px/1.45 system-ui, "Segoe UI", Roboto, sans-serif }
a { color: var(--link); text-decoration: none }
a:hover { text-decoration: underline }
header { display: flex; align-items: baseline; gap: 1.5rem; padding: .8rem 1.5rem; background: var(--card);
  border-bottom: 1px solid var(--line) }
header b { font-size: 1.05rem; letter-spacing: .02em }
header nav { display: flex; gap: 1.2rem }
header nav a { color: var(--dim); padding-bottom: .1rem }
header nav a[aria-current] { color: var(--text); font-weight: 600; border-bottom: 2px solid var(--link) }
header a.json { margin-left: auto; color: var(--dim); font-size: .85rem }
main { padding: 1.2rem 1.5rem 3rem }
h1 { font-size: 1.3rem; margin: 0 0 .2rem }
h2 { font-size: 1.02rem; margin: 1.8rem 0 .5rem }
p.note { color: var(--dim); margin: 0 0 1rem }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 8px }
table { border-collapse: collapse; width: 100%; font-size: 13px }
th { text-align: left; font-weight: 600; font-size: .8rem; color: var(--dim); white-space: nowrap; padding: .5rem .5rem;
  border-bottom: 1px solid var(--line) }
td { padding: .4rem .5rem; border-bottom: 1px solid var(--line); vertical-align: top; white-space: nowrap }
tr:last-child td { border-bottom: 0 }
tbody tr:nth-child(even) { background: var(--stripe) }
.n { text-align: right; font-variant-numeric: tabular-nums }
.zero { color: var(--dim); opacity: .55 }
.few { white-space: normal; min-width: 20rem }
.wrap { white-space: normal; min-width: 40rem; overflow-wrap: anywhere }
.changed { background: var(--mark) }
.lines { width: auto }
table.lines tr:nth-child(n) { background: none }
.lines td { border: 0; padding: 0 .5rem .15rem 0 }
.lines td.changed { padding: 0 .3rem; background: var(--mark) }
.empty { color: var(--dim); padding: 1.4rem; text-align: center }
.badge { display: inline-block; padding: .05rem .5rem; border-radius: 99px; font-size: .8rem; font-weight: 600 }
.badge + a { display: block; font-size: .8rem }
.good { color: var(--good); background: var(--good-back) }
.busy { color: var(--busy); background: var(--busy-back) }
.warn { color: var(--warn); background: var(--warn-back) }
.bad { color: var(--bad); background: var(--bad-back) }
.fault { display: block; color: var(--bad); font-size: .8rem; width: 15rem; white-space: normal }
code, pre { font: 11.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace }
pre { margin: .4rem 0; padding: .6rem .8rem; background: var(--page); border: 1px solid var(--line); border-radius: 6px;
  max-height: 22rem; overflow: auto; white-space: pre-wrap;
  overflow-wrap: anywhere }
summary { cursor: pointer; color: var(--link) }
progress { display: block; margin: .3rem 0 0 auto; width: 7rem; height: .4rem; appearance: none; border: 0;
  border-radius: 99px; overflow: hidden; background: var(--line) }
progress::-webkit-progress-bar { background: var(--line) }
progress::-webkit-progress-value { background: var(--busy) }
progress::-moz-progress-bar { background: var(--busy) }
form { display: flex; flex-wrap: wrap; gap: .6rem; align-items: end; margin: 0 0 1.2rem }
label { display: grid; gap: .2rem; font-size: .8rem; color: var(--dim) }
input { font: inherit; padding: .35rem .6rem; min-width: 15rem; color: var(--text); background: var(--card);
  border: 1px solid var(--line); border-radius: 6px }
button { font: inherit; font-weight: 600; padding: .38rem 1rem; border: 0; border-radius: 6px; color: #fff; background: #1f5fbf;
  cursor: pointer }
dl { display: flex; flex-wrap: wrap; gap: .8rem 2.2rem; margin: 0 0 1.2rem }
dt { font-size: .8rem; color: var(--dim) }
dd { margin: 0; font-variant-numeric: tabular-nums }
dl.fields { display: grid; gap: 0; margin: .2rem 0 0; font-size: .8rem }
dl.fields div { display: flex; justify-content: space-between; gap: 1rem }
"""
