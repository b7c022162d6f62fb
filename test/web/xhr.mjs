// test/web/xhr.mjs - what a browser has and node has not: as much of XMLHttpRequest as strophe.js needs for BOSH
import http from 'node:http';
import https from 'node:https';
import { DOMParser } from '@xmldom/xmldom';

const agents = { 'http:': new http.Agent({ keepAlive: true }), 'https:': new https.Agent({ keepAlive: true }) };

export class XMLHttpRequest {
  constructor() {
    this.readyState = 0;
    this.status = 0;
    this.responseText = '';
    this.responseXML = null;
    this.onreadystatechange = null;
    this.headers = {};
  }

  open(method, url) {
    this.method = method;
    this.url = new URL(url);
    this.become(1);
  }

  setRequestHeader(name, value) {
    this.headers[name] = value;
  }

  send(body = '') {
    const module = this.url.protocol === 'https:' ? https : http;
    const headers = { ...this.headers, 'Content-Length': Buffer.byteLength(body) };
    this.request = module.request(this.url, { method: this.method, headers, agent: agents[this.url.protocol] }, (answer) => {
      this.status = answer.statusCode;
      answer.setEncoding('utf8');
      answer.on('data', (piece) => (this.responseText += piece));
      answer.on('end', () => this.done());
      answer.on('error', () => this.done());
    });
    this.request.on('error', () => this.done());
    this.request.end(body);
  }

  done() {
    if (this.aborted || this.readyState === 4) return;
    if (this.responseText) this.responseXML = new DOMParser().parseFromString(this.responseText, 'text/xml');
    this.become(4);
  }

  abort() {
    this.aborted = true;
    if (this.request) this.request.destroy();
  }

  getAllResponseHeaders() {
    return '';
  }

  become(state) {
    this.readyState = state;
    if (this.onreadystatechange) this.onreadystatechange();
  }
}
