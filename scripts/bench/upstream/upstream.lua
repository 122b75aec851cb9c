-- The benchmark's upstream inside nginx: finds id and method in the raw body and puts the id in front
-- of a fixed result. No JSON library: Debian's Lua module comes without one, and this is faster.
local answers = require('answers')

local find, match, concat = string.find, string.match, table.concat
local M = {}
local sessions = 0

local function send(status, content_type, text)
  ngx.status = status
  if content_type then ngx.header['Content-Type'] = content_type end
  ngx.header['Content-Length'] = #text
  ngx.print(text)
end

local function refuse(id, status, code, message)
  local text = { '{"jsonrpc":"2.0","id":', id or 'null', ',"error":{"code":', code,
    ',"message":"', message, '"', '}}' }
  send(status, 'application/json', concat(text))
end

local function stream(id, body, result)
  local token = match(body, '"progressToken"%s*:%s*("[^"]*")') or
    match(body, '"progressToken"%s*:%s*(%d+)') or 'null'
  ngx.header['Content-Type'] = 'text/event-stream'
  ngx.header['Cache-Control'] = 'no-cache'
  for index = 1, answers.progress_events do
    ngx.print('event: message\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":',
      '{"progressToken":', token, ',"progress":', index, ',"total":', answers.progress_events,
      '}}\n\n')
    ngx.flush(true)
    ngx.sleep(answers.progress_every_seconds)
  end
  ngx.print('event: message\ndata: {"jsonrpc":"2.0","id":', id, ',"result":', result, '}\n\n')
end

-- What a legacy session's GET opens: a comment now and then until the caller leaves.
local function hold()
  ngx.header['Content-Type'] = 'text/event-stream'
  repeat
    if not ngx.print(': open\n\n') or not ngx.flush(true) then return end
    ngx.sleep(10)
  until ngx.worker.exiting()
end

function M.serve(kind)
  local http_method = ngx.req.get_method()
  if http_method == 'DELETE' then return send(204, nil, '') end
  if http_method == 'GET' then
    if kind == 'legacy' and ngx.var.http_mcp_session_id then return hold() end
    return send(405, nil, '')
  end
  ngx.req.read_body()
  local body = ngx.req.get_body_data() or ''
  local id = match(body, '"id"%s*:%s*("[^"]*")') or match(body, '"id"%s*:%s*(%d+)')
  local method = match(body, '"method"%s*:%s*"([^"]*)"') or ''
  if kind == 'legacy' then
    if method == 'initialize' then
      sessions = sessions + 1
      ngx.header['Mcp-Session-Id'] = 'bench-' .. sessions .. '-' .. ngx.now()
    elseif not ngx.var.http_mcp_session_id then
      return refuse(id, 400, '-32000', 'Bad Request: no session')
    end
  elseif not ngx.var.http_mcp_method then
    return refuse(id, 400, '-32022', 'Unsupported protocol version')
  end
  if not id then return send(202, nil, '') end
  local result = answers[kind][method]
  if not result then return refuse(id, kind == 'legacy' and 200 or 404, '-32601', 'Method not found') end
  if method == 'tools/call' and find(body, '"name":"progress"', 1, true) then
    return stream(id, body, result)
  end
  send(200, 'application/json', concat({ '{"jsonrpc":"2.0","id":', id, ',"result":', result, '}' }))
end

return M
