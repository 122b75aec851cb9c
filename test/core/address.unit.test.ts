import { describe, expect, it } from 'vitest'
import { parsePrivateHosts, upstreamUrlProblem } from '../../src/core/index.ts'

const NONE = parsePrivateHosts('')
/** What an operator who allows everything that can be allowed would write. */
const EVERYTHING = parsePrivateHosts(
  [
    '0.0.0.0/0, ::/0, metadata, metadata.google.internal, metadata.goog',
    'instance-data, instance-data.ec2.internal, 169.254.169.254, fd00:ec2::254',
  ].join(','),
)

const METADATA = 'points to a cloud metadata service'
const PRIVATE = 'points to a private address; list its host in PRIVATE_UPSTREAMS to allow it'
const PLAIN = 'must use https; list its host in PRIVATE_UPSTREAMS to allow plain http'
const CREDENTIALS = 'must not carry credentials'
const FRAGMENT = 'must not carry a fragment'
const NO_URL = 'is not an absolute URL'
const NO_WEB = 'must be an https URL'

const LOOPBACK = [
  '127.0.0.1',
  '127.1',
  '127.0.1',
  '127.255.255.254',
  '2130706433',
  '017700000001',
  '0x7f000001',
  '0X7F000001',
  '0x7f.0x0.0x0.0x1',
  '0177.0.0.1',
  '0x7f.1',
  '127.0.0.1.',
  '127.0.0.1..',
  '127%2e0%2e0%2e1',
  '%31%32%37.0.0.1',
  '127。0。0。1',
  '①②⑦.0.0.1',
  '１２７.0.0.1',
  '[::1]',
  '[0:0:0:0:0:0:0:1]',
  '[0000:0000:0000:0000:0000:0000:0000:0001]',
  '[::ffff:127.0.0.1]',
  '[::FFFF:7f00:1]',
  '[0:0:0:0:0:ffff:7f00:0001]',
  '[::127.0.0.1]',
  '[::ffff:0:127.0.0.1]',
  '[64:ff9b::127.0.0.1]',
  '[64:ff9b:1::127.0.0.1]',
  '[2002:7f00:1::]',
  'localhost',
  'LOCALHOST',
  'localhost.',
  'localhost..',
  'LocalHost.LocalDomain',
  'x.localhost',
  'x.y.localhost.',
  'ｌｏｃａｌｈｏｓｔ',
  'ⓛⓞⓒⓐⓛⓗⓞⓢⓣ',
  'loc\tal\nhost',
  'local%68ost',
]

const INSIDE = [
  '0.0.0.0',
  '0',
  '0x0',
  '10.0.0.1',
  '10.1',
  '167772161',
  '012.0.0.1',
  '0xa.0.0.1',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '192.168.257',
  '0300.0250.1.1',
  '169.254.1.1',
  '100.64.0.1',
  '192.0.2.1',
  '198.18.0.1',
  '198.51.100.7',
  '203.0.113.7',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '[::]',
  '[fc00::1]',
  '[fd12:3456::1]',
  '[FE80::1]',
  '[fec0::1]',
  '[ff02::1]',
  '[100::1]',
  '[2001::1]',
  '[2001:db8::1]',
  '[::ffff:10.0.0.1]',
  '[::10.0.0.1]',
  '[64:ff9b::a00:1]',
  '[64:ff9b:1::a00:1]',
  '[2002:a00:1::1]',
  '[2002:c0a8:0101::]',
  'intranet',
  'db',
  'printer.local',
  'svc.cluster.local',
  'app.internal',
  'APP.INTERNAL.',
  'app.internal..',
  'nas.lan',
  'router.home',
  'nas.home.arpa',
  'wiki.corp',
  'wiki.intranet',
  'ａｐｐ．ｉｎｔｅｒｎａｌ',
]

const METADATA_SPELLINGS = [
  '169.254.169.254',
  '2852039166',
  '0xA9FEA9FE',
  '025177524776',
  '0xa9.0xfe.0xa9.0xfe',
  '0251.0376.0251.0376',
  '169.254.43518',
  '169.16689662',
  '169.254.169.254.',
  '169.254.169.254..',
  '169。254。169。254',
  '①⑥⑨.②⑤④.①⑥⑨.②⑤④',
  '[::ffff:169.254.169.254]',
  '[::ffff:a9fe:a9fe]',
  '[0:0:0:0:0:FFFF:A9FE:A9FE]',
  '[::169.254.169.254]',
  '[::ffff:0:169.254.169.254]',
  '[64:ff9b::169.254.169.254]',
  '[64:ff9b::a9fe:a9fe]',
  '[64:ff9b:1::169.254.169.254]',
  '[2002:a9fe:a9fe::]',
  '[2002:a9fe:a9fe::1]',
  '[fd00:ec2::254]',
  '[fd00:0ec2:0:0:0:0:0:0254]',
  '[fd20:ce::254]',
  '169.254.170.2',
  '169.254.170.23',
  '100.100.100.200',
  '192.0.0.192',
  '168.63.129.16',
  '[::ffff:168.63.129.16]',
  'metadata',
  'METADATA.',
  'metadata.google.internal',
  'Metadata.Google.Internal.',
  'metadata.google.internal..',
  'metadata.goog',
  'ｍetadata.google.internal',
  'instance-data',
  'instance-data.ec2.internal',
]

const PUBLIC = [
  'api.example.com',
  'api.example.com.',
  'API.EXAMPLE.COM',
  'api.example.com:8443',
  'bücher.example',
  'xn--bcher-kva.example',
  '1.1.1.1',
  '0x01010101',
  '172.15.0.1',
  '172.32.0.1',
  '[2606:4700:4700::1111]',
  '[::ffff:1.1.1.1]',
  '[64:ff9b::1.1.1.1]',
  '[2002:101:101::]',
  'localhost.example.com',
  'internal.example.com',
  'metadata.example.com',
]

describe("an upstream's address", () => {
  it.each(PUBLIC)('%s may be called by https, and by http only when it is listed', (host) => {
    expect(upstreamUrlProblem(`https://${host}/mcp`, NONE)).toBeUndefined()
    expect(upstreamUrlProblem(`http://${host}/mcp`, NONE)).toBe(PLAIN)
  })

  it.each([...LOOPBACK, ...INSIDE])('%s is private, whatever the scheme and port', (host) => {
    for (const scheme of ['https', 'http', 'HTTPS']) {
      expect(upstreamUrlProblem(`${scheme}://${host}/mcp`, NONE)).toBe(PRIVATE)
      expect(upstreamUrlProblem(`${scheme}://${host}:8080/mcp`, NONE)).toBe(PRIVATE)
    }
  })

  it.each(METADATA_SPELLINGS)('%s is a metadata service, even when all is allowed', (host) => {
    for (const hosts of [NONE, EVERYTHING]) {
      expect(upstreamUrlProblem(`https://${host}/latest`, hosts)).toBe(METADATA)
      expect(upstreamUrlProblem(`http://${host}:80/latest`, hosts)).toBe(METADATA)
    }
  })

  it.each([
    ['https://user@api.example.com/', CREDENTIALS],
    ['https://user:secret@api.example.com/', CREDENTIALS],
    ['https://:secret@api.example.com/', CREDENTIALS],
    ['https://api.example.com@127.0.0.1/', CREDENTIALS],
    ['https://api.example.com%40evil@127.0.0.1/', CREDENTIALS],
    ['https://api.example.com/#', FRAGMENT],
    ['https://api.example.com/#x', FRAGMENT],
    ['https://127.0.0.1#@api.example.com/', FRAGMENT],
    ['https://127.0.0.1\\@api.example.com/', PRIVATE],
    ['https:\\\\127.0.0.1/', PRIVATE],
    ['https:127.0.0.1/', PRIVATE],
    ['  https://127.0.0.1/  ', PRIVATE],
    ['https://127.0.0.1?api.example.com', PRIVATE],
    ['ftp://api.example.com/', NO_WEB],
    ['file:///etc/passwd', NO_WEB],
    ['ws://api.example.com/', NO_WEB],
    ['gopher://api.example.com/', NO_WEB],
    ['javascript:alert(1)', NO_WEB],
    ['data:text/plain,x', NO_WEB],
    ['blob:https://api.example.com/x', NO_WEB],
    ['', NO_URL],
    ['api.example.com', NO_URL],
    ['//api.example.com/', NO_URL],
    ['/mcp', NO_URL],
    ['https://', NO_URL],
    ['https://$(id)`x`/', PRIVATE],
    ['https://1.2.3.4.5/', NO_URL],
    ['https://256.0.0.1/', NO_URL],
    ['https://0x100000000/', NO_URL],
    ['https://[::1/', NO_URL],
    ['https://[fe80::1%25eth0]/', NO_URL],
    ['https://api.example.com:65536/', NO_URL],
    ['https://exa mple.com/', NO_URL],
    ['https://exa%00mple.com/', NO_URL],
  ])('%s is refused: %s', (url, problem) => {
    expect(upstreamUrlProblem(url, NONE)).toBe(problem)
  })
})

describe('PRIVATE_UPSTREAMS', () => {
  it.each([
    ['127.0.0.1', 'http://127.0.0.1:3001/mcp'],
    ['127.0.0.1', 'http://2130706433/mcp'],
    ['127.0.0.1', 'http://[::ffff:127.0.0.1]/mcp'],
    ['::ffff:127.0.0.1', 'http://127.0.0.1/mcp'],
    ['::1', 'http://[::1]:3001/mcp'],
    ['10.0.0.0/8', 'https://10.255.0.1/mcp'],
    [' 10.0.0.0/8 ,192.168.1.0/24 ', 'http://192.168.1.77/mcp'],
    ['fd00::/8', 'https://[fd12::1]/mcp'],
    ['localhost', 'http://LOCALHOST:8080/mcp'],
    ['LocalHost', 'http://localhost./mcp'],
    ['db.internal', 'http://db.internal/mcp'],
    ['db.internal.', 'http://db.internal/mcp'],
    ['api.example.com', 'http://api.example.com/mcp'],
    ['mcp_server', 'http://mcp_server:3000/mcp'],
    ['xn--bcher-kva.internal', 'http://bücher.internal/mcp'],
  ])('%s allows %s', (list, url) => {
    expect(upstreamUrlProblem(url, parsePrivateHosts(list))).toBeUndefined()
  })

  it.each([
    ['127.0.0.1', 'http://127.0.0.2/mcp', PRIVATE],
    ['127.0.0.1', 'http://localhost/mcp', PRIVATE],
    ['localhost', 'http://127.0.0.1/mcp', PRIVATE],
    ['localhost', 'http://x.localhost/mcp', PRIVATE],
    ['10.0.0.0/8', 'https://11.0.0.1/mcp', undefined],
    ['10.0.0.0/8', 'http://11.0.0.1/mcp', PLAIN],
    ['10.0.0.0/8', 'http://172.16.0.1/mcp', PRIVATE],
    ['fd00::/8', 'https://10.0.0.1/mcp', PRIVATE],
    ['0.0.0.0/0', 'https://[fd12::1]/mcp', PRIVATE],
    ['db.internal', 'http://x.db.internal/mcp', PRIVATE],
    ['internal', 'http://db.internal/mcp', PRIVATE],
    ['', 'http://localhost/mcp', PRIVATE],
    [' , ,', 'http://localhost/mcp', PRIVATE],
  ])('%s says of %s: %s', (list, url, problem) => {
    expect(upstreamUrlProblem(url, parsePrivateHosts(list))).toBe(problem)
  })

  it.each([
    '*',
    '*.internal',
    'http://localhost',
    '10.0.0.0/33',
    '10.0.0.0/x',
    'a b',
    'x/24',
    'bücher.internal',
  ])('refuses %s by its name', (entry) => {
    expect(() => parsePrivateHosts(`localhost,${entry}`)).toThrow(
      `"${entry}" is neither a host name nor an address nor a CIDR`,
    )
  })
})
