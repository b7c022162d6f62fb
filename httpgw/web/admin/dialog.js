// dialog.js - a window over the page: Escape closes it, the focus stays in it and goes back to where it was.

import { button, h, uid } from './dom.js';

// on_close is called once, however it closes. Gives back {body, close, title}.
export function openDialog(title, { onClose = () => {}, wide = false } = {}) {
  const from = document.activeElement;
  const id = uid('dialog');
  const heading = h('h2', { id }, title);
  const body = h('div', { class: 'dialog-body' });
  const close = () => box.open && box.close();
  const box = h(
    'dialog',
    { class: wide ? 'dialog wide' : 'dialog', 'aria-labelledby': id },
    h('header', { class: 'dialog-head' }, heading, button('×', close, 'plain close', { 'aria-label': 'Close' })),
    body,
  );
  box.addEventListener('close', () => {
    box.remove();
    if (from && from.isConnected && from !== document.body) from.focus();
    else document.getElementById('main').focus();
    onClose();
  });
  document.body.append(box);
  box.showModal();
  return {
    body,
    close,
    setTitle: (text) => {
      heading.textContent = text;
    },
  };
}

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch (e) {
    const { body } = openDialog('Copy from here', { wide: true });
    const area = h('textarea', { rows: 12, readonly: true, 'aria-label': 'Text to copy' });
    area.value = text;
    body.append(area);
    area.select();
    return false;
  }
}
