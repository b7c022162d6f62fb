// The chat page: converse.js, set for this server. settings.json says where to connect to (httpgw/web.c).
import './converse/converse.min.js';

function element(name, properties = {}, ...children) {
  const it = Object.assign(document.createElement(name), properties);
  it.append(...children);
  return it;
}

function absolute(relative, scheme) {
  if (!relative) return undefined;
  const url = new URL(relative, location.href);
  if (scheme) url.protocol = url.protocol.replace(/^http/, scheme);
  return url.href;
}

// What stands around the login form: whose server it is, in the place of links to the library's own site. Elements that are known by now are
// not defined again by converse.js.
function brand(domain) {
  const define = (name, draw) => customElements.define(name, class extends HTMLElement {
    connectedCallback() {
      this.replaceChildren(...draw());
    }
  });
  define('converse-brand-logo', () => [
    element('img', { src: 'icon.svg', alt: '', width: 64, height: 64 }),
    element('h1', { textContent: domain || 'Chat' }),
  ]);
  define('converse-controlbox-navbar', () => []);
  define('converse-footer', () => [
    element('p', { textContent: 'Any other XMPP client works with the same address and password, too.' }),
    element('p', {}, 'This page is ', element('a', { href: 'https://conversejs.org', target: '_blank', rel: 'noopener', textContent: 'converse.js' }), '.'),
  ]);
}

async function start() {
  const answer = await fetch('settings.json');
  if (!answer.ok) throw new Error('The server says ' + answer.status + '.');
  const settings = await answer.json();
  // ?transport=bosh: where a network lets no WebSocket through.
  const bosh = settings.bosh && new URLSearchParams(location.search).get('transport') === 'bosh';
  brand(settings.domain);
  document.title = settings.domain ? 'Chat \u2013 ' + settings.domain : 'Chat';
  await window.converse.initialize({
    // where
    assets_path: absolute('converse'),
    authentication: 'login',
    discover_connection_methods: false,
    websocket_url: bosh ? undefined : absolute(settings.websocket, 'ws'),
    bosh_service_url: absolute(settings.bosh),
    default_domain: settings.domain || undefined,
    // how it looks
    view_mode: 'fullscreen',
    theme: 'classic',
    dark_theme: 'dracula',
    play_sounds: false,
    visible_toolbar_buttons: { call: false, clear: true, emoji: true, location: false, spoiler: false },
    // nobody else is asked or told anything
    allow_registration: false,
    autocomplete_providers_url: '',
    xmpp_providers_url: '',
    muc_search_service: '',
    embed_3rd_party_media_players: false,
    // It needs what the server does not have (XEP-0163).
    blacklisted_plugins: ['converse-omemo', 'converse-omemo-views'],
  });
  document.getElementById('wait').remove();
}

start().catch((error) => {
  document.querySelector('#wait p').textContent = 'The chat cannot start. ' + error.message;
  throw error;
});
