"""XML that no honest peer sends, for every place where a stranger can write (groups 1 to 9 of the survey of other servers)."""

LAUGHS = "<!DOCTYPE lolz [<!ENTITY lol 'lol'>%s]>" % "".join(
    "<!ENTITY lol%d '%s'>" % (n, ("&lol%s;" % (n - 1 or "")) * 10) for n in range(1, 10))

# 1 and 2: {what: DTD}
DTDS = {
    "laughs": LAUGHS, "external subset": "<!DOCTYPE a SYSTEM 'file:///etc/passwd'>",
    "external entity": "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>",
    "parameter entity": "<!DOCTYPE a [<!ENTITY % x SYSTEM 'http://127.0.0.1:1/x'> %x;]>", "bare": "<!DOCTYPE a>",
}
# 2: in text and in an attribute
REFERENCES = {"undefined": "&lol;", "undefined too": "&xxe;", "NUL": "&#0;", "beyond Unicode": "&#x110000;", "surrogate": "&#xD800;",
              "control": "&#x1;", "bare": "& ;"}
REFERRING = ("<message><body>%s</body></message>", "<message id='%s'/>")
# 3
FORBIDDEN = ["<!-- -->", "<?x y?>", "<message><!-- --></message>", "<message><?x y?></message>", "<?xml version='1.0'?>"]

# 5 and 6: {what: (how it starts, what it goes on with for ever)}
NEVER_CLOSED = {
    "attribute name": ("<message ", "a"), "element name": ("<", "a"), "value": ("<message a='", "x"),
    "inner value": ("<message><body a='", "x"), "end tag": ("</", "a"), "comment": ("<!-- ", "x"),
    "CDATA": ("<message><![CDATA[", "x"), "instruction": ("<?x ", "y"), "namespace": ("<message xmlns:a='", "u"),
    "text": ("<message><body>", "&amp;"), "reference": ("&", "a"), "white space in a tag": ("<message ", " "),
    "after the slash": ("<message/", "x"),
}
TWICE = ["<message id='1' id='2'/>", "<message xmlns:a='u' xmlns:b='u' a:x='1' b:x='2'/>"]


def never_closed(what, blocks=1500):
    start, filler = NEVER_CLOSED[what]
    return [start] + [filler * (4096 // len(filler))] * blocks


def many_attributes():
    many = "".join(" a%d='%d'" % (n, n) for n in range(50000))
    return ["<message", *(many[i:i + 4096] for i in range(0, len(many), 4096)), "/>"]


# 7
PREFIXES = ["<message xmlns:xml='urn:x'/>", "<message xmlns:xmlns='urn:x'/>", "<a:message/>",
            "<message xmlns:x='http://www.w3.org/XML/1998/namespace'/>", "<message xmlns:x='http://www.w3.org/2000/xmlns/'/>",
            "<message a:b='c'/>", "<message xmlns:a=''/>", "<:message/>", "<a:b:c xmlns:a='x'/>", "<message :a='b'/>"]

# 8: in text, in an attribute, in a name, between stanzas
NO_CHARACTERS = {
    "overlong 2": b"\xc0\xaf", "overlong 3": b"\xe0\x80\xaf", "overlong 4": b"\xf0\x80\x80\xaf", "surrogate": b"\xed\xa0\x80",
    "low surrogate": b"\xed\xbf\xbf", "beyond": b"\xf4\x90\x80\x80", "FF": b"\xff", "continuation": b"\x80", "cut short": b"\xc3",
    "cut by text": b"\xc3(", "NUL": b"\x00", "FFFE": b"\xef\xbf\xbe", "FFFF": b"\xef\xbf\xbf", "VT": b"\x0b", "ESC": b"\x7f\x1b",
}
AROUND = ((b"<message><body>", b"</body></message>"), (b"<message id='", b"'/>"), (b"<message", b"/>"), (b"", b"<message/>"))


def encodings(content_ns):
    """Beginnings of streams that are not UTF-8: {what: bytes}."""
    return {
        "UTF-16 with BOM": "\ufeff<?xml version='1.0'?>".encode("utf-16"),
        "UTF-16": "<?xml version='1.0' encoding='UTF-16'?>".encode("utf-16"),
        "says UTF-16": b"<?xml version='1.0' encoding='UTF-16'?><stream:stream>",
        "ASCII": b"<?xml version='1.0' encoding='US-ASCII'?><stream:stream xmlns='%s' to='im.example' version='1.0' "
                 b"xmlns:stream='http://etherx.jabber.org/streams'>" % content_ns.encode(),
        "UTF-32": b"\x00\x00\x00<", "UTF-16 without BOM": b"<\x00?\x00x\x00m\x00l\x00 ",
    }
