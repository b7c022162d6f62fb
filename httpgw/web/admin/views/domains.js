// views/domains.js - the hosted domains, how many people each has, and what can be set for it

import { button, fill, h } from '../dom.js';
import { Table } from '../table.js';
import { ADMIN, OURS, describe, resultValues } from '../commands.js';
import { labelOf, shown } from '../forms.js';
import { formatBytes } from '../series.js';
import { heading, trouble, yesNo } from './common.js';

const NODE = OURS('domains');
const COUNTED_MOST = 20; // domains whose accounts are counted at once
const COLUMNS = { registration: 'Registration', kept: 'Offline', archive: 'Archive' };
const WITH_ARCHIVE = ['days', 'bytes']; // are told beside it
const SHORT = { [OURS('set-registration')]: 'Registration', [OURS('set-archive')]: 'Archive', [OURS('set-offline')]: 'Offline', [OURS('remove-domain')]: 'Remove' };

async function count(app, domain, node, field) {
    return app.ask(node, {}, domain).then((state) => resultValues(state, field)[0] || '').catch(() => '');
}

// The commands with a field for a domain: told by the server, or those that we know.
async function about(app) {
    const nodes = await app.nodes(app.home);
    const known = await describe(app.iq, app.home).catch(() => null);
    const fits = (it) => (known && known.has(it.node) ? known.get(it.node).changes && known.get(it.node).form && known.get(it.node).form.fields.some((field) => field.var === 'domain') : it.node in SHORT);
    return nodes.filter((it) => it.node !== OURS('add-domain') && fits(it)).sort((a, b) => (a.node === OURS('remove-domain')) - (b.node === OURS('remove-domain')));
}

// How long and how much of the archive is kept, where that has an end.
function kept(row) {
    const parts = [Number(row.days) > 0 ? `${row.days} days` : '', Number(row.bytes) > 0 ? formatBytes(Number(row.bytes)) : ''].filter(Boolean);
    return parts.length && ['1', 'true', 'yes'].includes(row.archive) ? h('span', { class: 'quiet' }, ` ${parts.join(', ')}`) : null;
}

export default {
    title: 'Domains',

    mount(app, root) {
        const said = h('div', { class: 'said' });
        let does = [];
        const table = new Table({
            label: 'Domains', columns: [{ key: 'domain', label: 'Domain' }], id: (row) => row.domain,
            // forms to change something are filled with how it is now
            actions: (row) => does.map((it) => button(SHORT[it.node] || it.name, () => app.run(it.node, it.name, { jid: app.home, submit: /remove/.test(it.node) ? 'Remove' : 'Change', prefill: row.raw, onDone: load }), /remove/.test(it.node) ? 'small danger-text' : 'small', { 'aria-label': `${it.name}: ${row.domain}` })),
        });
        async function load() {
            try {
                const [state, list] = await Promise.all([app.ask(NODE, {}, app.home), about(app)]);
                does = list;
                const form = state.form || { reported: [], items: [] };
                const names = form.items.map((item) => (item.domain || [''])[0]);
                const counted = await Promise.all(names.slice(0, COUNTED_MOST).map((name) => Promise.all([
                    count(app, name, ADMIN('get-registered-users-num'), 'registeredusersnum'), count(app, name, ADMIN('get-online-users-num'), 'onlineusersnum')])));
                const data = form.items.map((item, i) => ({
                    ...Object.fromEntries(form.reported.map((field) => [field.var, shown(field, item[field.var])])),
                    raw: item, accounts: counted[i] ? counted[i][0] : '', online: counted[i] ? counted[i][1] : '',
                }));
                const told = form.reported.filter((field) => field.type !== 'hidden' && !WITH_ARCHIVE.includes(field.var)).map((field) => ({ key: field.var, label: COLUMNS[field.var] || labelOf(field), ...(field.type === 'boolean' ? { show: (row) => [yesNo(row[field.var]), field.var === 'archive' ? kept(row) : null] } : {}) }));
                const extra = counted.some((it) => it[0] !== '') ? [{ key: 'accounts', label: 'Accounts' }, { key: 'online', label: 'Online' }] : [];
                table.update(data, [...told.slice(0, 1), ...extra, ...told.slice(1)]);
                fill(said);
                await app.readDomains();
            } catch (error) {
                fill(said, trouble(error, 'the list of domains', NODE));
            }
        }

        fill(root, heading('Domains', 'That this installation hosts.', button('Refresh', load), button('Add a domain', () => app.run(OURS('add-domain'), 'Add a domain', { jid: app.home, submit: 'Add', onDone: load }), 'primary')),
            said, h('section', { class: 'panel' }, table.element));
        load();
    },
};
