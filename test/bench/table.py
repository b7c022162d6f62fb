"""The figures against the budgets, the best of other servers and the bare relay; and where the CPU went."""

# key, what it says, unit, budget, best of the other servers measured, the same through the relay
ROWS = (
    ("empty_mib", "no user", "MiB", 10, "7.2", None),
    ("session_plain_kib", "idle session, plaintext", "KiB", 4, "33.7", None),
    ("session_tls_kib", "idle session, TLS", "KiB", 15, "50.3", None),
    ("idle_plain_cpu_percent", "CPU of all sessions at rest, plaintext", "%", None, None, None),
    ("beside_plain_us", "chat message beside them, 1 in flight", "us", 12, None, None),
    ("left_plain_ratio", "after all left / empty, plaintext", "x", 1.1, None, None),
    ("left_tls_ratio", "after all left / empty, TLS", "x", 1.1, None, None),
    ("churn_ratio", "after many came and left / empty", "x", 1.1, None, None),
    ("churn_growth_bytes", "growth a login, once warm", "B", None, None, None),
    ("storm_c2s_ms", "login in a storm after c2s was killed, TLS", "ms", 1.0, None, None),
    ("storm_c2s_p99_s", "the same: p99 from connecting to online", "s", None, None, None),
    ("restart_sessman_s", "sessman killed, all online: it answers after", "s", None, None, None),
    ("login_plain_ms", "login, 25 contacts (away), plaintext", "ms", 0.3, "0.9", None),
    ("login_tls_ms", "login, 25 contacts (away), TLS", "ms", 1.0, "1.6", None),
    ("login_logout_plain_ms", "login and logout, 25 contacts online", "ms", 0.5, "3.1", None),
    ("login_logout_tls_ms", "the same, TLS", "ms", None, None, None),
    ("chat1_us", "chat message, 1 in flight a pair", "us", 12, "48", "relay_chat1_us"),
    ("chat16_us", "chat message, 16 in flight a pair", "us", 6, "48", "relay_chat16_us"),
    ("router_frame_us", "router, one frame through (of chat16)", "us", 1, None, None),
    ("chat1_per_s", "messages a second, 1 in flight", "/s", None, None, "relay_chat1_per_s"),
    ("chat16_per_s", "messages a second, 16 in flight", "/s", -100000, "29600", "relay_chat16_per_s"),
    ("rate_p50_ms", "latency p50 at 1,000 a second", "ms", 0.15, "0.18", "relay_rate_p50_ms"),
    ("rate_p99_ms", "latency p99 at 1,000 a second", "ms", 0.4, "0.44", "relay_rate_p99_ms"),
    ("rate_us", "chat message at 1,000 a second", "us", None, None, "relay_rate_us"),
    ("presence_us", "presence, a delivered copy", "us", 4, "24", None),
    ("offline_store_us", "offline message stored", "us", 20, "117", None),
    ("offline_fetch_us", "offline message delivered", "us", 8, "27", None),
    ("archived_chat1_us", "archived chat message, 1 in flight a pair", "us", 30, "236", None),
    ("archived_chat16_us", "archived chat message, 16 in flight a pair", "us", 15, "236", None),
    ("archived_chat16_per_s", "archived messages a second, 16 in flight", "/s", None, None, None),
    ("archived_rate_p50_ms", "archived, latency p50 at 1,000 a second", "ms", None, None, None),
    ("archived_rate_p99_ms", "archived, latency p99 at 1,000 a second", "ms", 3, None, None),
    ("commit_chat_p50_ms", "commit, p50 while they chat", "ms", None, None, None),
    ("commit_chat_p99_ms", "commit, p99 while they chat", "ms", None, None, None),
    ("commit_rate_p50_ms", "commit, p50 at 1,000 a second", "ms", None, None, None),
    ("commit_rate_p99_ms", "commit, p99 at 1,000 a second", "ms", None, None, None),
    ("burst_s", "10,000 offline messages to one account", "s", None, None, None),
    ("burst_beside_p99_ms", "latency p99 beside them", "ms", None, None, None),
    ("burst_beside_max_ms", "latency max beside them", "ms", None, None, None),
    ("mam_first_ms", "archive, a page of 50, the first", "ms", 2, None, None),
    ("mam_middle_ms", "archive, a page of 50, in the middle", "ms", 2, None, None),
    ("mam_last_ms", "archive, a page of 50, the last", "ms", 2, None, None),
    ("mam_last_p50_ms", "the same as the client sees it, p50", "ms", None, None, None),
    ("s2s_chat1_us", "message to another server and in there, 1 in flight", "us", None, None, None),
    ("s2s_chat16_us", "the same, 16 in flight a pair", "us", None, None, None),
    ("s2s_chat1_s2s_us", "of which s2s of both, 1 in flight", "us", None, None, None),
    ("s2s_chat16_s2s_us", "of which s2s of both, 16 in flight", "us", None, None, None),
    ("s2s_chat16_per_s", "messages a second between two servers", "/s", None, None, None),
    ("s2s_rate_us", "the same at 1,000 a second", "us", None, None, None),
    ("s2s_rate_p50_ms", "between two servers, p50 at 1,000 a second", "ms", None, None, None),
    ("s2s_rate_p99_ms", "between two servers, p99 at 1,000 a second", "ms", None, None, None),
    ("domains_external_ms", "another server connected to, certificates, both", "ms", None, None, None),
    ("domains_dialback_ms", "the same by dialback (two connections)", "ms", None, None, None),
    ("domains_external_s", "all of them at once, certificates", "s", None, None, None),
    ("domains_dialback_s", "all of them at once, dialback", "s", None, None, None),
    ("domains_external_again_us", "a stanza, with a connection for each", "us", None, None, None),
    ("domains_external_near_kib", "connection to another server, TLS", "KiB", None, None, None),
    ("domains_external_far_kib", "connection of another server, TLS", "KiB", None, None, None),
    ("empty_s2s_mib", "s2s, no user, trusts the system's authorities", "MiB", None, None, None),
    ("expiry_rate_p99_ms", "latency p99 while 100,000 rows expire", "ms", None, None, None),
    ("expiry_rate_max_ms", "latency max while 100,000 rows expire", "ms", 20, None, None),
    ("web_ws_plain_sessions", "WebSockets on one gateway, plaintext", "", None, None, None),
    ("web_bosh_plain_sessions", "BOSH sessions beside them, plaintext", "", None, None, None),
    ("web_ws_plain_kib", "idle session, WebSocket, plaintext", "KiB", 6, None, None),
    ("web_bosh_plain_kib", "idle session, BOSH, plaintext", "KiB", None, None, None),
    ("web_ws_plain_gateway_kib", "of which the gateway, WebSocket, plaintext", "KiB", None, None, None),
    ("web_bosh_plain_gateway_kib", "of which the gateway, BOSH, plaintext", "KiB", None, None, None),
    ("web_plain_cpu_percent", "CPU of all of them at rest, plaintext", "%", None, None, None),
    ("beside_web_plain_us", "WebSocket chat beside them, plaintext", "us", None, None, None),
    ("web_left_plain_ratio", "after all left / empty, plaintext", "x", 1.1, None, None),
    ("web_left_plain_gateway_mib", "more than before, the gateway (its pools), plaintext", "MiB", 0.5, None, None),
    ("web_ws_login_plain_ms", "login, WebSocket, plaintext", "ms", None, None, None),
    ("web_bosh_login_plain_ms", "login, BOSH, plaintext", "ms", None, None, None),
    ("web_ws_plain_chat1_us", "chat message, WebSocket, plaintext, 1 in flight", "us", 18, None, None),
    ("web_ws_plain_chat16_us", "chat message, WebSocket, plaintext, 16 in flight", "us", 9, None, None),
    ("web_bosh_plain_chat1_us", "chat message, BOSH, plaintext, 1 in flight", "us", None, None, None),
    ("web_bosh_plain_chat16_us", "chat message, BOSH, plaintext, 16 in flight", "us", None, None, None),
    ("web_ws_tls_sessions", "WebSockets on one gateway, TLS", "", None, None, None),
    ("web_bosh_tls_sessions", "BOSH sessions beside them, TLS", "", None, None, None),
    ("web_ws_tls_kib", "idle session, WebSocket, TLS", "KiB", None, None, None),
    ("web_bosh_tls_kib", "idle session, BOSH, TLS", "KiB", None, None, None),
    ("web_ws_tls_gateway_kib", "of which the gateway, WebSocket, TLS", "KiB", None, None, None),
    ("web_bosh_tls_gateway_kib", "of which the gateway, BOSH, TLS", "KiB", None, None, None),
    ("web_tls_cpu_percent", "CPU of all of them at rest, TLS", "%", None, None, None),
    ("beside_web_tls_us", "WebSocket chat beside them, TLS", "us", None, None, None),
    ("web_left_tls_ratio", "after all left / empty, TLS", "x", 1.1, None, None),
    ("web_left_tls_gateway_mib", "more than before, the gateway (its pools), TLS", "MiB", 0.5, None, None),
    ("web_ws_login_tls_ms", "login, WebSocket, TLS", "ms", None, None, None),
    ("web_bosh_login_tls_ms", "login, BOSH, TLS", "ms", None, None, None),
    ("web_ws_tls_chat1_us", "chat message, WebSocket, TLS, 1 in flight", "us", None, None, None),
    ("web_ws_tls_chat16_us", "chat message, WebSocket, TLS, 16 in flight", "us", None, None, None),
    ("web_bosh_tls_chat1_us", "chat message, BOSH, TLS, 1 in flight", "us", None, None, None),
    ("web_bosh_tls_chat16_us", "chat message, BOSH, TLS, 16 in flight", "us", None, None, None),
    ("web_churn_ratio", "many came and left by both / empty, TLS", "x", 1.1, None, None),
    ("web_churn_gateway_mib", "more than before, the gateway (its pools)", "MiB", 0.5, None, None),
    ("upload_plain_ms", "upload, a MiB, plaintext", "ms", None, None, None),
    ("upload_tls_ms", "upload, a MiB, TLS", "ms", None, None, None),
    ("download_plain_ms", "download, a MiB, plaintext", "ms", None, None, None),
    ("download_tls_ms", "download, a MiB, TLS", "ms", None, None, None),
    ("upload_plain_mib_s", "upload, plaintext", "MiB/s", None, None, None),
    ("upload_tls_mib_s", "upload, TLS", "MiB/s", None, None, None),
    ("download_plain_mib_s", "download, plaintext", "MiB/s", None, None, None),
    ("download_tls_mib_s", "download, TLS", "MiB/s", None, None, None),
    ("upload_plain_growth_mib", "memory of the gateway meanwhile, up, plain", "MiB", 2, None, None),
    ("upload_tls_growth_mib", "the same, TLS", "MiB", 2, None, None),
    ("download_tls_growth_mib", "the same, down, TLS", "MiB", 2, None, None),
)


def shown(value):
    """A figure with as many digits as it deserves."""
    return format(value, ".0f" if abs(value) >= 1000 else ".2f" if abs(value) >= 1 else ".3f")


def table(bench):
    """The figures against their budgets, and where the CPU went. Returns the rows, and how many budgets were missed."""
    rows, missed = [], 0
    suffixes = [""] + [f"_{n}" for n in bench.args.sessions[1:]]
    print(f"\n{'work':<52} {'measured':>10} {'unit':<4} {'budget':>9} {'ratio':>6}  {'best peer':>9} {'relay':>9}")
    for key, text, unit, budget, peer, floor in ROWS:
        for suffix in suffixes:
            value = bench.figures.get(key + suffix)
            relay = bench.figures.get(floor) if floor else None
            if value is None:
                if relay is not None and not suffix and "relay" in (bench.args.only or ()):
                    print(f"{text + ' (relay)':<52} {'':>10} {unit:<4} {'':>9} {'':>6}  {'':>9} {shown(relay):>9}")
                continue
            label = text + (f", {suffix[1:]}" if suffix else "")
            least = budget is not None and budget < 0  # at least, not at most
            ratio = None if budget is None else value / abs(budget)
            over = ratio is not None and (ratio < 1 if least else ratio > 1)
            missed += over
            print(f"{label:<52} {shown(value):>10} {unit:<4} "
                  f"{'' if budget is None else ('>=' if least else '<=') + format(abs(budget), 'g'):>9} "
                  f"{'' if ratio is None else format(ratio, '.2f'):>6}{'!' if over else ' '} {peer or '':>9} "
                  f"{'' if relay is None else shown(relay):>9}")
            rows.append({"key": key + suffix, "work": label, "measured": value, "unit": unit, "budget": budget,
                         "ratio": ratio, "missed": bool(over), "best_peer": peer, "relay": relay})
    print("\nCPU by process (user and system over all of them at the end):")
    for scene, split in bench.splits.items():
        if scene.startswith("memory"):
            continue
        parts = "  ".join(f"{k} {v:.2f}" for k, v in sorted(split.items(), key=lambda kv: str(kv[0]))
                          if k not in ("unit", "all", "user", "system"))
        print(f"  {scene:<24} {split['all']:>9.2f} {split['unit']}: {parts}  | user {split['user']:.2f} "
              f"system {split['system']:.2f}")
    print("\nMemory by process, MiB:")
    for scene, split in bench.splits.items():
        for when in ("empty", "online", "left"):
            if scene.startswith("memory") and when in split:
                print(f"  {scene + ', ' + when:<31} {split[when]['all'] / 1024:>9.2f}: " +
                      "  ".join(f"{k} {v / 1024:.2f}" for k, v in sorted(split[when].items()) if k not in ("all", "own")) +
                      f"  | own pages {split[when]['own'] / 1024:.2f}")
        if "a_session" in split:
            print(f"  {scene + ', KiB a session':<31} {split['a_session']['all']:>9.2f}: " +
                  "  ".join(f"{k} {v:.2f}" for k, v in sorted(split["a_session"].items()) if k not in ("all", "own")))
    for failure in bench.failures:
        print(f"FAILED {failure}")
    return rows, missed
