// xml.js - elements as plain objects, so that everything which reads or makes them runs without a browser
//
// { name, ns, attrs: {name: value}, kids: [element or string] }. Nothing here is ever given to a parser of HTML.

export const NS = {
  client: 'jabber:client',
  commands: 'http://jabber.org/protocol/commands',
  form: 'jabber:x:data',
  validate: 'http://jabber.org/protocol/xdata-validate',
  items: 'http://jabber.org/protocol/disco#items',
  info: 'http://jabber.org/protocol/disco#info',
  admin: 'http://jabber.org/protocol/admin',
  stanzas: 'urn:ietf:params:xml:ns:xmpp-stanzas',
  ping: 'urn:xmpp:ping',
  oob: 'jabber:x:oob',
  ours: 'urn:bulkhead:commands:0',
};

export function el(name, ns, attrs = {}, ...kids) {
  return { name, ns, attrs, kids: kids.flat().filter((kid) => kid !== null && kid !== undefined) };
}

export function children(node, name, ns) {
  if (!node) return [];
  return node.kids.filter((kid) => typeof kid !== 'string' && (!name || kid.name === name) && (!ns || kid.ns === ns));
}

export function child(node, name, ns) {
  return children(node, name, ns)[0] || null;
}

export function text(node) {
  return node ? node.kids.map((kid) => (typeof kid === 'string' ? kid : text(kid))).join('') : '';
}

// An XML 1.0 document cannot carry these at all; a server would end the stream.
export function clean(value) {
  // eslint-disable-next-line no-control-regex
  return String(value).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '');
}

export function fromDom(element) {
  const attrs = {};
  for (const attr of element.attributes) {
    if (attr.name !== 'xmlns' && !attr.name.startsWith('xmlns:')) attrs[attr.name] = attr.value;
  }
  const kids = [];
  for (const kid of element.childNodes) {
    if (kid.nodeType === 1) kids.push(fromDom(kid));
    else if (kid.nodeType === 3 || kid.nodeType === 4) kids.push(kid.nodeValue);
  }
  return { name: element.localName, ns: element.namespaceURI, attrs, kids };
}

// doc: an XML document, which makes the elements. Strophe writes the xmlns attribute that it finds and no other.
export function toDom(node, doc, parentNs = null) {
  const made = doc.createElement(node.name);
  if (node.ns && node.ns !== parentNs) made.setAttribute('xmlns', node.ns);
  for (const [name, value] of Object.entries(node.attrs)) {
    if (value !== null && value !== undefined) made.setAttribute(name, clean(value));
  }
  for (const kid of node.kids) {
    made.appendChild(typeof kid === 'string' ? doc.createTextNode(clean(kid)) : toDom(kid, doc, node.ns || parentNs));
  }
  return made;
}
