/* common/xmpp/ns.h - every namespace, one line with its specification */
#ifndef XMPP_NS_H
#define XMPP_NS_H

#define NS_CLIENT "jabber:client"                                /* RFC 6120 4.8.2 */
#define NS_SERVER "jabber:server"                                /* RFC 6120 4.8.2 */
#define NS_COMPONENT_ACCEPT "jabber:component:accept"            /* XEP-0114 */
#define NS_COMPONENT "urn:xmpp:component:0"                      /* XEP-0225 */
#define NS_DIALBACK "jabber:server:dialback"                     /* XEP-0220 */
#define NS_DIALBACK_FEATURE "urn:xmpp:features:dialback"         /* XEP-0220 2.4.1 */
#define NS_STREAM "http://etherx.jabber.org/streams"             /* RFC 6120 4.8.1 */
#define NS_STREAM_ERROR "urn:ietf:params:xml:ns:xmpp-streams"    /* RFC 6120 4.9 */
#define NS_STANZA_ERROR "urn:ietf:params:xml:ns:xmpp-stanzas"    /* RFC 6120 8.3 */
#define NS_TLS "urn:ietf:params:xml:ns:xmpp-tls"                 /* RFC 6120 5 */
#define NS_SASL "urn:ietf:params:xml:ns:xmpp-sasl"               /* RFC 6120 6 */
#define NS_BIDI "urn:xmpp:bidi"                                  /* XEP-0288 */
#define NS_BIDI_FEATURE "urn:xmpp:features:bidi"                 /* XEP-0288 */
#define NS_SASL2 "urn:xmpp:sasl:2"                               /* XEP-0388 */
#define NS_BIND2 "urn:xmpp:bind:0"                               /* XEP-0386 */
#define NS_FAST "urn:xmpp:fast:0"                                /* XEP-0484 */
#define NS_IAP "urn:xmpp:iap:0"                                  /* XEP-0509 */
#define NS_BIND "urn:ietf:params:xml:ns:xmpp-bind"               /* RFC 6120 7 */
#define NS_SESSION "urn:ietf:params:xml:ns:xmpp-session"         /* RFC 3921 3 */
#define NS_XML "http://www.w3.org/XML/1998/namespace"
#define NS_ROSTER "jabber:iq:roster"                             /* RFC 6121 2 */
#define NS_ROSTERVER "urn:xmpp:features:rosterver"               /* RFC 6121 2.6 */
#define NS_PRE_APPROVAL "urn:xmpp:features:pre-approval"         /* RFC 6121 3.4 */
#define NS_FORM "jabber:x:data"                                  /* XEP-0004 */
#define NS_LAST "jabber:iq:last"                                 /* XEP-0012 */
#define NS_DISCO_INFO "http://jabber.org/protocol/disco#info"    /* XEP-0030 */
#define NS_DISCO_ITEMS "http://jabber.org/protocol/disco#items"  /* XEP-0030 */
#define NS_COMMANDS "http://jabber.org/protocol/commands"        /* XEP-0050 */
#define NS_ADMIN "http://jabber.org/protocol/admin"              /* XEP-0133 */
#define NS_RSM "http://jabber.org/protocol/rsm"                  /* XEP-0059 */
#define NS_REGISTER "jabber:iq:register"                         /* XEP-0077 */
#define NS_REGISTER_FEATURE "http://jabber.org/features/iq-register" /* XEP-0077 */
#define NS_VERSION "jabber:iq:version"                           /* XEP-0092 */
#define NS_CAPS "http://jabber.org/protocol/caps"                /* XEP-0115 */
#define NS_SERVERINFO "http://jabber.org/network/serverinfo"     /* XEP-0157 */
#define NS_OFFLINE_FEATURE "msgoffline"                          /* XEP-0160 */
#define NS_MUC_USER "http://jabber.org/protocol/muc#user"        /* XEP-0045 */
#define NS_PUBSUB "http://jabber.org/protocol/pubsub"            /* XEP-0060 */
#define NS_PUBLISH_OPTIONS "http://jabber.org/protocol/pubsub#publish-options" /* XEP-0060 */
#define NS_SM "urn:xmpp:sm:3"                                    /* XEP-0198 */
#define NS_PING "urn:xmpp:ping"                                  /* XEP-0199 */
#define NS_TIME "urn:xmpp:time"                                  /* XEP-0202 */
#define NS_DELAY "urn:xmpp:delay"                                /* XEP-0203 */
#define NS_AMP "http://jabber.org/protocol/amp"                  /* XEP-0079 */
#define NS_AMP_ERRORS "http://jabber.org/protocol/amp#errors"    /* XEP-0079 */
#define NS_FLEXIBLE "http://jabber.org/protocol/offline"         /* XEP-0013 */
#define NS_CHATSTATES "http://jabber.org/protocol/chatstates"    /* XEP-0085 */
#define NS_RECEIPTS "urn:xmpp:receipts"                          /* XEP-0184 */
#define NS_CONFERENCE "jabber:x:conference"                      /* XEP-0249 */
#define NS_CARBONS "urn:xmpp:carbons:2"                          /* XEP-0280 */
#define NS_CARBONS_RULES "urn:xmpp:carbons:rules:0"              /* XEP-0280 6.2 */
#define NS_FORWARD "urn:xmpp:forward:0"                          /* XEP-0297 */
#define NS_MAM "urn:xmpp:mam:2"                                  /* XEP-0313 */
#define NS_MAM_EXTENDED "urn:xmpp:mam:2#extended"                /* XEP-0313 */
#define NS_VALIDATE "http://jabber.org/protocol/xdata-validate"  /* XEP-0122 */
#define NS_MARKERS "urn:xmpp:chat-markers:0"                     /* XEP-0333 */
#define NS_SM "urn:xmpp:sm:3"                                    /* XEP-0198 */
#define NS_HINTS "urn:xmpp:hints"                                /* XEP-0334 */
#define NS_CSI "urn:xmpp:csi:0"                                  /* XEP-0352 */
#define NS_JINGLE_MESSAGE "urn:xmpp:jingle-message:0"            /* XEP-0353 */
#define NS_UPLOAD "urn:xmpp:http:upload:0"                       /* XEP-0363 */
#define NS_UPLOAD_PURPOSE "urn:xmpp:http:upload:purpose:0"       /* XEP-0363 */
#define NS_PUSH "urn:xmpp:push:0"                                /* XEP-0357 */
#define NS_PUSH_SUMMARY "urn:xmpp:push:summary"                  /* XEP-0357 */
#define NS_CHANNEL_BINDING "urn:xmpp:sasl-cb:0"                  /* XEP-0440 */
#define NS_STREAM_LIMITS "urn:xmpp:stream-limits:0"              /* XEP-0478 */
#define NS_STANZA_ID "urn:xmpp:sid:0"                            /* XEP-0359 */
#define NS_FRAMING "urn:ietf:params:xml:ns:xmpp-framing"         /* RFC 7395 3.3.2 */
#define NS_BOSH "http://jabber.org/protocol/httpbind"            /* XEP-0124 */
#define NS_XBOSH "urn:xmpp:xbosh"                                /* XEP-0206 */
#define NS_DESCRIPTIONS "urn:bulkhead:commands:0"                /* ours: all commands with their forms at once */
#define NS_FRAMES "urn:bulkhead:frames:0"                        /* ours: DESIGN 2, the frame level */
#define NS_CONTROL "urn:bulkhead:session:0"                      /* ours: control messages */
#define NS_CPUTIME "urn:bulkhead:cputime:0"                      /* ours: the example IQ handler */

#endif
