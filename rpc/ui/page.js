// What makes the page live. It draws nothing itself but the lines of a log: it puts what
// the server has drawn in the place of what was there. Nothing here is needed to use the page.
'use strict';
(() => {
  const root = document.documentElement, body = document.body;
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  root.classList.add('script');

  // Times since, counted as page.Ago does.
  const skew = Number(body.dataset.now) * 1000 - Date.now();
  const units = [[86400, 'd'], [3600, 'h'], [60, 'm'], [1, 's']];
  const ago = seconds => {
    const s = Math.max(0, Math.floor(seconds));
    const i = units.findIndex(([n], i) => s >= n || i === units.length - 1);
    const [n, name] = units[i], next = units[i + 1];
    const rest = next ? Math.floor(s % n / next[0]) : 0;
    return Math.floor(s / n) + name + (rest > 0 ? ' ' + rest + next[1] : '');
  };
  let lostAt = 0; // when the daemon was heard last, while the connection is lost: no time counts on
  const tick = () => {
    const now = ((lostAt || Date.now()) + skew) / 1000;
    for (const t of document.getElementsByTagName('time')) {
      const text = ago(now - Number(t.dataset.t));
      if (t.textContent !== text) t.textContent = text;
    }
  };
  setInterval(() => { if (!document.hidden) tick(); }, 1000);
  // A thousand titles are written only where somebody points: the moment, and what is cut.
  document.addEventListener('pointerover', e => {
    const at = e.target.closest?.('time, .processes td.why, .processes th.name');
    if (!at) return;
    if (at.dataset.t) at.title ||= new Date(at.dataset.t * 1000).toLocaleString();
    else at.title = at.scrollWidth > at.clientWidth ? at.textContent : '';
  });

  // Putting in place what the server has drawn, with the focus where it was.
  const parse = (html, inTable) => {
    const t = document.createElement('template');
    t.innerHTML = inTable ? '<table><tbody>' + html + '</tbody></table>' : html;
    return t.content;
  };
  const mark = () => {
    const a = document.activeElement;
    if (!a || a === body) return () => {};
    const part = a.closest('[data-live]');
    const what = a.tagName + (a.name ? `[name="${CSS.escape(a.name)}"]` : '') +
      (a.value && a.tagName === 'BUTTON' ? `[value="${CSS.escape(a.value)}"]` : '') +
      (a.getAttribute('href') ? `[href="${CSS.escape(a.getAttribute('href'))}"]` : '');
    return () => {
      if (part && !document.contains(a)) $(`[data-live="${part.dataset.live}"] ${what}`)?.focus({ preventScroll: true });
    };
  };
  const putPart = (name, html) => {
    const part = $(`[data-live="${name}"]`);
    if (!part || part.innerHTML === html) return;
    const back = mark();
    part.innerHTML = html;
    back();
  };

  // What is asked for may be older than what the stream tells meanwhile: it is asked for
  // again, ever later, until both have the same stamp.
  let asking = false, again = false, last = 0, heard = '', misses = 0;
  const refresh = async () => {
    if (asking) { again = true; return; }
    asking = true;
    const wait = last + 1000 * 2 ** Math.min(misses, 6) - Date.now();
    if (wait > 0) await new Promise(done => setTimeout(done, wait));
    last = Date.now();
    try {
      const answer = await fetch(body.dataset.self, { headers: { Accept: 'text/html' } });
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
        const selected = new Set($$('tbody input:checked').map(i => i.value));
        for (const part of $$('[data-live]', page)) putPart(part.dataset.live, part.innerHTML);
        for (const i of $$('tbody input[name=name]')) i.checked = selected.has(i.value);
        const none = $('#none');
        if (none) { none.textContent = $('#none', page).textContent; none.hidden = $('#none', page).hidden; }
        body.dataset.stamp = page.body.dataset.stamp;
        shown();
        const old = heard !== '' && heard !== body.dataset.stamp;
        misses = old ? misses + 1 : 0;
        again ||= old;
      }
    } catch { /* the stream says that the daemon is not there */ }
    asking = false;
    if (again) { again = false; refresh(); }
  };

  // The stream of what changes, and of the log that is shown, in one connection: a browser has
  // few. A page that nobody sees has none. It beats when nothing happens: a host that has gone
  // closes nothing.
  const light = $('#live');
  const lit = (state, text) => { light.className = 'live js ' + state; light.lastElementChild.textContent = text; };
  let stream = null, opening = false, beat = 10000, heardAt = 0;
  const log = { resume: null, take: null }; // what the log below does, if there is one
  const open = async () => {
    if (stream || opening || document.hidden) return;
    opening = true;
    const q = new URLSearchParams({ page: body.dataset.page, stamp: body.dataset.stamp });
    const name = $('.log')?.dataset.name;
    if (name) q.set('name', name);
    try {
      const more = await log.resume?.();
      for (const [name, value] of Object.entries(more || {})) q.set(name, value);
    } catch { lose('not connected'); return; } finally { opening = false; }
    if (document.hidden) return;
    heard = '';
    heardAt = Date.now();
    stream = new EventSource('live?' + q);
    const hears = () => { heardAt = Date.now(); };
    for (const name of ['hello', 'reload', 'parts', 'rows', 'figures']) stream.addEventListener(name, e => { heard = e.lastEventId; hears(); });
    stream.addEventListener('beat', e => { beat = Number(e.data) || beat; hears(); });
    stream.addEventListener('log', e => { hears(); log.take?.(JSON.parse(e.data)); });
    let opened = false;
    stream.onopen = () => { opened = true; hears(); lostAt = 0; root.classList.remove('lost'); lit('on', 'live'); tick(); };
    stream.onerror = async () => {
      lose('not connected');
      if (opened) return;
      const look = new AbortController();
      try {
        const answer = await fetch('live?' + q, { signal: look.signal });
        if (answer.status === 503 && !stream) lit('off', 'too many pages are open');
      } catch { /* it is not there */ }
      look.abort();
    };
    stream.addEventListener('reload', refresh);
    const parts = e => {
      body.dataset.stamp = e.lastEventId;
      for (const [name, html] of Object.entries(JSON.parse(e.data))) putPart(name, html);
      shown();
    };
    stream.addEventListener('parts', parts);
    stream.addEventListener('hello', e => { body.dataset.stamp = e.lastEventId; });
    // What processes take: the figures and the paths of their graphs, put in their places.
    stream.addEventListener('figures', e => {
      const byKey = new Map($$('tbody[data-live=rows] > tr').map(r => [r.dataset.key, r]));
      const put = (cell, text, path = '') => {
        const old = $('span', cell), shown = old || document.createElement('span');
        if (shown.textContent !== text) shown.textContent = text;
        if (!old) cell.append(shown);
        const graph = $('svg', cell);
        if (!path) { graph?.remove(); return; }
        if (!graph) cell.prepend($('#graph').content.cloneNode(true));
        $('path', cell).setAttribute('d', path);
      };
      for (const [key, [cpu, memory, graph, memoryGraph]] of Object.entries(JSON.parse(e.data))) {
        const row = byKey.get(key);
        if (row) {
          put(row.cells[5], cpu, graph);
          if (row.cells[6].textContent !== memory) row.cells[6].textContent = memory;
        }
        const takes = $('[data-takes]');
        if (takes?.dataset.takes === key) { put($('dd', takes), cpu, graph); put($('dd', takes.nextElementSibling), memory, memoryGraph); }
      }
      if (choice.sort === 'cpu' || choice.sort === 'memory') shown();
    });
    stream.addEventListener('rows', e => {
      const byKey = new Map($$('tbody[data-live=rows] > tr').map(r => [r.dataset.key, r]));
      const back = mark();
      for (const [key, html] of Object.entries(JSON.parse(e.data))) {
        const row = byKey.get(key), fresh = parse(html, true).querySelector('tr');
        if (!row || !fresh) continue;
        const moved = row.dataset.state !== fresh.dataset.state;
        for (const [name, value] of Object.entries(fresh.dataset)) row.dataset[name] = value;
        [...fresh.cells].forEach((cell, i) => {
          const old = row.cells[i];
          if (old && i > 0 && old.outerHTML !== cell.outerHTML) old.replaceWith(cell);
        });
        if (moved) { row.classList.remove('changed'); void row.offsetWidth; row.classList.add('changed'); }
      }
      back();
      tick();
    });
  };
  const close = () => { stream?.close(); stream = null; };
  const lose = text => {
    close();
    lit('off', text);
    lostAt ||= heardAt || Date.now();
    root.classList.add('lost');
    tick();
    setTimeout(open, 3000);
  };
  setInterval(() => { if (stream && Date.now() - heardAt > 2.5 * beat) lose('not connected'); }, 1000);
  document.addEventListener('visibilitychange', () => { if (document.hidden) close(); else { tick(); open(); } });
  addEventListener('pagehide', close);

  // The table: filter, states, order, selection.
  const table = $('table.processes'), rows = table?.tBodies[0], filter = $('#filter');
  const url = new URL(location.href);
  const choice = { state: url.searchParams.get('state') || '', q: filter?.value || '', sort: url.searchParams.get('sort') || '' };
  const levels = ['bad', 'warn', 'busy', 'good', 'idle'];
  const place = row => levels.findIndex(l => row.cells[1].classList.contains(l));
  const since = row => Number($('time', row)?.dataset.t || 0);
  // Of "2 of 5" or "2", which is of 2, the first and the second.
  const restarts = row => { const [recent = 0, all = recent] = row.cells[4].textContent.match(/\d+/g) || []; return [Number(recent), Number(all)]; };
  const powers = { KB: 1, MB: 2, GB: 3, TB: 4 };
  const number = cell => { const [n, unit] = cell.textContent.trim().split(' '); return Number(n) * 1024 ** (powers[unit] || 0) || 0; };
  const orders = {
    state: (a, b) => place(a) - place(b),
    since: (a, b) => since(b) - since(a),
    restarts: (a, b) => { const [m, all] = restarts(a), [n, more] = restarts(b); return n - m || more - all; },
    cpu: (a, b) => number(b.cells[5]) - number(a.cells[5]),
    memory: (a, b) => number(b.cells[6]) - number(a.cells[6]),
  };
  const isGroup = row => row.classList.contains('group');
  let order = '';
  const shown = () => {
    if (!rows) { tick(); return; }
    const text = choice.q.toLowerCase(), any = choice.state || text;
    const list = [...rows.rows];
    list.forEach((r, i) => { r.at ??= i; });
    let groups = new Set(), n = 0;
    for (const r of list) {
      if (isGroup(r)) continue;
      const fits = (!choice.state || r.dataset.state === choice.state) &&
        (!text || (r.dataset.key + ' ' + r.cells[7].textContent).toLowerCase().includes(text));
      if (r.hidden === fits) r.hidden = !fits;
      if (fits) { n++; groups.add(r.dataset.key.split(':', 1)[0]); }
    }
    for (const i of $$('tbody input:checked')) if (i.closest('tr').hidden) i.checked = false;
    for (const r of list) if (isGroup(r)) r.hidden = !groups.has(r.dataset.key.slice(0, -2));
    table.classList.toggle('flat', choice.sort !== '');
    if (choice.sort || order) {
      const by = orders[choice.sort];
      const sorted = by ? [...list.filter(isGroup), ...list.filter(r => !isGroup(r)).toSorted((a, b) => by(a, b) || a.at - b.at)] : list.toSorted((a, b) => a.at - b.at);
      if (sorted.some((r, i) => r !== list[i])) rows.append(...sorted);
    }
    order = choice.sort;
    const none = $('#none');
    if (any || none.hidden === (list.length === 0)) {
      none.hidden = n > 0;
      if (any) none.textContent = 'No process matches.';
    }
    for (const c of $$('.chip')) c.toggleAttribute('aria-current', c.dataset.state === choice.state);
    for (const c of $$('.chip[aria-current]')) c.setAttribute('aria-current', 'true');
    for (const s of $$('[data-sort]')) if (s.dataset.sort === choice.sort) s.setAttribute('aria-current', 'true'); else s.removeAttribute('aria-current');
    chosen();
    tick();
  };
  const choose = change => {
    Object.assign(choice, change);
    const q = new URLSearchParams();
    for (const [name, value] of Object.entries(choice)) if (value) q.set(name, value);
    history.replaceState(null, '', './' + (q.size ? '?' + q : ''));
    shown();
  };
  const chosen = () => {
    const n = $$('tbody input:checked').length, all = $('#chosen');
    if (all) all.textContent = n ? n + ' selected' : choice.state || choice.q ? 'all shown' : 'all processes';
  };
  if (rows) {
    filter.addEventListener('input', () => choose({ q: filter.value }));
    filter.form.addEventListener('submit', e => e.preventDefault());
    document.addEventListener('click', e => {
      const link = e.target.closest('a[data-state], a[data-sort]');
      if (!link || e.ctrlKey || e.metaKey || e.shiftKey) return;
      e.preventDefault();
      choose('state' in link.dataset ? { state: link.dataset.state } : { sort: link.dataset.sort });
    });
    document.addEventListener('change', e => {
      if (e.target.id === 'all') for (const r of rows.rows) { const i = $('input', r); if (i && !r.hidden) i.checked = e.target.checked; }
      chosen();
    });
  }

  // Actions, without leaving the page.
  const toast = (text, bad) => {
    const t = document.createElement('div');
    t.className = bad ? 'toast bad' : 'toast';
    t.textContent = text;
    $('#toasts').append(t);
    setTimeout(() => t.remove(), bad ? 12000 : 5000);
  };
  const ask = (question, names) => new Promise(done => {
    const dialog = $('#ask'), most = 20;
    $('#ask-text').textContent = question;
    $('#ask-names').textContent = names.length > 1 ? names.slice(0, most).join(', ') + (names.length > most ? ` and ${names.length - most} more` : '') : '';
    dialog.returnValue = '';
    dialog.onclose = () => done(dialog.returnValue === 'yes');
    dialog.showModal();
  });
  const act = async (data, button) => {
    button?.setAttribute('aria-busy', 'true');
    try {
      const answer = await fetch('act', { method: 'POST', body: new URLSearchParams(data), headers: { Accept: 'application/json' } });
      if (!(answer.headers.get('Content-Type') || '').startsWith('application/json')) {
        const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
        toast(page.querySelector('p + p, p')?.nextElementSibling?.textContent || answer.status + ' ' + answer.statusText, true);
        return;
      }
      const said = await answer.json();
      if (said.ask) {
        if (await ask(said.ask, said.names || [])) { data.append('confirm', 'yes'); await act(data, button); }
        return;
      }
      toast(said.message, !said.ok);
      for (const i of $$('tbody input:checked')) i.checked = false;
      chosen();
      if (body.dataset.page !== 'overview') refresh();
    } catch { toast('The daemon does not answer.', true); } finally { button?.removeAttribute('aria-busy'); }
  };
  document.addEventListener('submit', e => {
    if (e.target.method !== 'post' || e.defaultPrevented) return;
    e.preventDefault();
    const button = e.submitter;
    if (!button?.name || button.getAttribute('aria-busy')) return;
    const data = new FormData(e.target, button);
    if (e.target.id === 'table') { // of some that are shown, those, as they are chosen now
      data.delete('q');
      data.delete('state');
      if (!data.has('name') && !button.value.includes(' ') && (choice.state || choice.q)) {
        for (const r of rows.rows) if (!r.hidden && !isGroup(r)) data.append('name', r.dataset.key);
        if (!data.has('name')) { toast('No process is shown', true); return; }
      }
    }
    act(data, button);
  });
  for (const form of $$('form.ask')) form.addEventListener('submit', e => e.stopPropagation(), true);

  // The log.
  const lines = $('#log');
  if (lines) {
    const card = lines.closest('.log'), pause = $('#pause');
    // Nearly the words of page.Lines.
    const levels = [['err', /\b(?:emerg|alert|crit(?:ical)?|fatal|err(?:or)?|panic|exception|traceback)\b/i], ['warn', /\bwarn(?:ing)?\b/i],
      ['info', /\b(?:info|notice)\b/i], ['dim', /\b(?:debug|trace)\b/i]];
    const escapes = /\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/g;
    const most = 5000; // lines
    let rest = '', last = null, paused = false, words = '';
    const show = span => {
      const text = span.textContent, at = words ? text.toLowerCase().indexOf(words) : -1;
      span.hidden = words !== '' && at < 0;
      if (at < 0) { if (span.firstElementChild) span.textContent = text; return; }
      const found = document.createElement('mark');
      found.textContent = text.slice(at, at + words.length);
      span.replaceChildren(text.slice(0, at), found, text.slice(at + words.length));
    };
    const add = text => {
      const end = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
      const all = (rest + text).split('\n');
      rest = all.pop().slice(-65536);
      if (last) { last.remove(); last = null; }
      const piece = document.createDocumentFragment();
      const line = text => {
        const span = document.createElement('span');
        const clean = text.replace(/\r$/, '').replace(escapes, '');
        const level = levels.find(([, words]) => words.test(clean.slice(0, 80)));
        if (level) span.className = level[0];
        span.textContent = clean + '\n';
        if (words) show(span);
        piece.append(span);
        return span;
      };
      all.slice(-most).forEach(line);
      if (rest) last = line(rest);
      lines.append(piece);
      while (lines.childElementCount > most) lines.firstElementChild.remove();
      if (end) lines.scrollTop = lines.scrollHeight;
    };
    lines.scrollTop = lines.scrollHeight;
    // The stream begins where the page has ended. After it has broken off, nobody can say
    // where that is: the log may be another file by then. So its end is asked for again.
    let from = Number(card.dataset.next), waiting = '', stale = false;
    const follows = 'follow' in card.dataset;
    const enough = 1 << 20; // characters that wait while somebody reads
    const again = async () => {
      const answer = await fetch(body.dataset.self, { headers: { Accept: 'text/html' } });
      const fresh = $('.log', new DOMParser().parseFromString(await answer.text(), 'text/html'));
      if (!fresh || !('follow' in fresh.dataset)) throw new Error('there is no log');
      const end = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
      if (!paused) {
        lines.replaceChildren(...$('#log', fresh).children);
        rest = ''; last = null; waiting = '';
        if (words) for (const span of lines.children) show(span);
        if (end) lines.scrollTop = lines.scrollHeight;
      }
      stale = paused;
      from = Number(fresh.dataset.next);
    };
    if (follows) {
      log.resume = async () => {
        if (from === null) await again();
        const at = from;
        from = null;
        return { stream: card.dataset.stream, from: at };
      };
      log.take = text => {
        $('.empty', card)?.remove();
        if (paused) waiting = (waiting + text).slice(-enough); else add(text);
      };
    } else pause.hidden = true;
    pause.addEventListener('click', () => {
      paused = !paused;
      pause.setAttribute('aria-pressed', String(paused));
      pause.textContent = paused ? 'Go on' : 'Pause';
      if (!paused) { add(waiting); waiting = ''; lines.scrollTop = lines.scrollHeight; }
      if (!paused && stale) { close(); open(); }
    });
    $('#wrap').addEventListener('change', e => lines.classList.toggle('nowrap', !e.target.checked));
    filter.addEventListener('input', () => { words = filter.value.toLowerCase(); for (const span of lines.children) show(span); });
    filter.form.addEventListener('submit', e => { if (!filter.value || 'follow' in card.dataset) e.preventDefault(); });
  }

  // The keyboard.
  const move = by => {
    const links = $$('table.processes tbody tr:not([hidden]):not(.group) th a, .listeners th a');
    if (!links.length) return;
    const at = links.findIndex(a => a.closest('tr').contains(document.activeElement));
    const to = links[Math.min(Math.max(at + by, 0), links.length - 1)];
    to.focus();
    to.scrollIntoView({ block: 'nearest' });
  };
  $('#help').addEventListener('click', () => $('#keys').showModal());
  document.addEventListener('keydown', e => {
    if (e.ctrlKey || e.metaKey || e.altKey || $('dialog[open]')) return;
    const typing = /^(?:INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName) && e.target.type !== 'checkbox';
    if (typing) {
      if (e.key === 'Escape') e.target.blur();
      return;
    }
    const row = document.activeElement?.closest('tr, .head');
    switch (e.key) {
      case '/': filter?.focus(); filter?.select(); break;
      case 'j': move(1); break;
      case 'k': move(-1); break;
      case 'x': { const i = row && $('input[type=checkbox]', row); if (i) { i.checked = !i.checked; chosen(); } break; }
      case 'r': {
        const from = row || $('.one .head');
        const button = from && ($('button[value^="restart "], button[value^="roll "]', from) || $('button[value^="start "]', from));
        button?.click();
        break;
      }
      case '?': $('#keys').showModal(); break;
      default: return;
    }
    e.preventDefault();
  });

  if ($('[data-chosen]')) refresh(); else shown();
  open();
})();
