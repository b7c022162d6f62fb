// The chat page: converse.js, set for this server. settings.json says where to connect to (httpgw/web.c).
import './converse/converse.min.js';

function absolute(relative, scheme) {
  if (!relative) return undefined;
  const url = new URL(relative, location.href);
  if (scheme) url.protocol = url.protocol.replace(/^http/, scheme);
  return url.href;
}

async function start() {
  const answer = await fetch('settings.json');
  if (!answer.ok) throw new Error('The server says ' + answer.status + '.');
  const settings = await answer.json();
  // ?transport=bosh: for networks that let no WebSocket through, and for trying it.
  const bosh = new URLSearchParams(location.search).get('transport') === 'bosh';
  const websocket = settings.websocket && !(bosh && settings.bosh) ? absolute(settings.websocket, 'ws') : undefined;
  await window.converse.initialize({
    assets_path: absolute('converse'),
    view_mode: 'fullscreen',
    theme: 'classic',
    dark_theme: 'dracula',
    authentication: 'login',
    discover_connection_methods: false,
    websocket_url: websocket,
    bosh_service_url: absolute(settings.bosh),
    default_domain: settings.domain || undefined,
    allow_registration: false,
    play_sounds: false,
  });
  document.getElementById('wait').remove();
}

start().catch((error) => {
  document.querySelector('#wait p').textContent = 'The chat cannot start. ' + error.message;
  throw error;
});
