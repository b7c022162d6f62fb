// runner.js - a command in a window: its forms step by step, its notes, its result

import { button, errorNotice, fill, h, notice } from './dom.js';
import { openDialog } from './dialog.js';
import { Run } from './commands.js';
import { FormView, resultView } from './formview.js';

const LABELS = { prev: 'Back', next: 'Next', complete: 'Finish' };
const NOTES = { info: 'info', warn: 'warn', error: 'error' };
const DANGER = /delete|remove|end-user|disable|revoke|shutdown|restart/i;

// prefill: {var: [values]} for the first form. submit: what its button says. onDone is called when the
// command has been completed and the window is closed.
export function runCommand({ iq, jid, node, name, prefill = {}, submit = 'Run', onDone = () => {} }) {
  const run = new Run(iq, jid, node);
  let done = false,
    closed = false;
  const win = openDialog(name || node, {
    wide: true,
    onClose: () => {
      closed = true;
      run.cancel();
      if (done) onDone();
    },
  });
  const form = h('form', { novalidate: true, class: 'runner', autocomplete: 'off' });
  const content = h('div', { class: 'runner-content' });
  const trouble = h('div', { class: 'trouble' });
  const buttons = h('div', { class: 'buttons' });
  const where = h('p', { class: 'where' }, jid);
  form.append(where, content, trouble, buttons);
  win.body.append(form);

  let view = null,
    busy = false;

  function working(is) {
    busy = is;
    form.setAttribute('aria-busy', String(is));
    for (const it of buttons.querySelectorAll('button:not(.cancel)')) it.disabled = is;
  }

  function notes(state) {
    const said = state.notes.map((note) => notice(NOTES[note.type] || 'info', note.text));
    if (state.url) said.push(notice('info', h('a', { href: state.url, target: '_blank', rel: 'noopener noreferrer' }, state.url)));
    if (state.strange) said.push(notice('warn', 'The answer has a part that this page does not know.'));
    return said;
  }

  // The usual action is last, a submit button, so that Enter does it.
  function stepButtons(state) {
    const cancel = button('Cancel', win.close, 'cancel');
    const others = state.actions.filter((action) => action !== state.normal);
    const label = state.staged && (state.actions.length > 1 || state.normal !== 'complete') ? LABELS[state.normal] : submit;
    const danger = DANGER.test(node) && state.normal === 'complete';
    return [
      cancel,
      h('span', { class: 'space' }),
      others.map((action) => button(LABELS[action], () => take(action), '')),
      h('button', { type: 'submit', class: danger ? 'button danger' : 'button primary' }, label),
    ];
  }

  function show(state) {
    const first = run.steps === 0 ? prefill : {};
    trouble.replaceChildren();
    if (state.form && state.form.title && state.form.title !== name) win.setTitle(state.form.title);
    if (state.status === 'executing') {
      view = state.form && state.form.type === 'form' ? new FormView(state.form, first) : null;
      fill(content, notes(state), view ? view.element : state.form ? resultView(state.form).childNodes : null);
      fill(buttons, stepButtons(state));
      working(false);
      if (!view || !view.focus()) buttons.lastElementChild.focus();
      return;
    }
    done = true;
    view = null;
    const said = notes(state);
    if (state.status === 'canceled') said.push(notice('warn', 'It was canceled.'));
    else if (!said.length && !state.form) said.push(notice('ok', 'Done.'));
    fill(content, said, state.form ? resultView(state.form) : null);
    const close = button('Close', win.close, 'primary');
    fill(buttons, button('Run again', begin, ''), h('span', { class: 'space' }), close);
    working(false);
    close.focus();
  }

  function failed(error) {
    if (closed) return;
    fill(trouble, errorNotice(error));
    working(false);
    if (!buttons.children.length || !run.state)
      fill(buttons, button('Close', win.close, 'cancel'), h('span', { class: 'space' }), button('Try again', begin, 'primary'));
    trouble.scrollIntoView({ block: 'nearest' });
    if (view) view.focus();
    else buttons.lastElementChild.focus();
  }

  async function doing(ask) {
    working(true);
    try {
      const state = await ask();
      if (closed) run.cancel();
      else show(state);
    } catch (error) {
      failed(error);
    }
  }

  function take(action) {
    if (busy) return;
    trouble.replaceChildren();
    if (action !== 'prev' && view && !view.check()) return;
    doing(() => run.step(action, view ? view.values() : {}));
  }

  function begin() {
    run.steps = 0;
    fill(content, h('p', { class: 'quiet' }, 'Asking …'));
    fill(buttons, button('Cancel', win.close, 'cancel'));
    doing(() => run.start());
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (run.state && run.state.status === 'executing') take(run.state.normal);
  });
  begin();
  return win;
}
