-- What wrk sends: one of the loads of bench/loads.py, to ids and with texts that a folder holds.
-- Arguments: load, folder, path of the endpoints, token, first number for what is new, and "strict" to look at answers.

local JSON = "application/scim+json"
local PATCH_OP = '{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":['
local MIX = {"match", "match", "match", "match", "get", "get", "patch", "patch", "post", "member"}

local USERS = {get = 1, match = 1, page = 100}  -- in an answer

local users, parts, base, token, number, load_name, random = {}, {}, "", "", 0, "", math.random
local threads = {}
local loads = {}
refused, sample = 0, ""

function setup(thread)
  table.insert(threads, thread)
end

local function send(method, path, body)
  local headers = {["Authorization"] = token, ["Accept"] = JSON, ["Content-Type"] = body and JSON}
  return wrk.format(method, path, headers, body)
end

local function someone()
  return users[random(#users)]
end

local function new_user()
  return table.concat(parts, string.format("%012d", number))
end

function loads.get()
  return send("GET", base .. "/Users/" .. someone().id)
end

function loads.match()
  return send("GET", base .. "/Users?filter=" .. someone().filter)
end

function loads.page()
  return send("GET", base .. "/Users?startIndex=" .. random(#users - 99) .. "&count=100")
end

function loads.patch()
  local operations = '{"op":"Replace","path":"displayName","value":"Name %d"},{"op":"Replace","path":"title","value":"Title %d"}]}'
  return send("PATCH", base .. "/Users/" .. someone().id, PATCH_OP .. string.format(operations, number, number))
end

function loads.member()
  local operation = '{"op":"Add","path":"members","value":[{"value":"00000000-0000-4000-8000-%012d"}]}]}'
  return send("PATCH", base .. "/Groups/team" .. number % (#users / 1000), PATCH_OP .. string.format(operation, number))
end

function loads.post()
  return send("POST", base .. "/Users", new_user())
end

function loads.mix()
  return loads[MIX[random(#MIX)]]()
end

loads["bare-get"] = function()
  return send("GET", "/")
end

loads["bare-post"] = function()
  return send("POST", "/", new_user())
end

loads["bare-append"] = function()
  return send("POST", "/append", new_user())
end

local function read(folder)
  for line in io.lines(folder .. "/users.tsv") do
    local id, filter = line:match("^(.-)\t(.*)$")
    table.insert(users, {id = id, filter = filter})
  end
  local text = io.open(folder .. "/new.json"):read("*a")
  for part in (text .. "NUMBER"):gmatch("(.-)NUMBER") do
    table.insert(parts, part)
  end
end

local function look(status, _, body)
  local _, found = body:gsub('"userName"', "")
  if status < 200 or status > 299 or found ~= (USERS[load_name] or found) then
    refused = refused + 1
    sample = sample .. (sample == "" and status .. " " .. body or "")
  end
end

function init(arguments)
  load_name, base, token, number = arguments[1], arguments[3], "Bearer " .. arguments[4], tonumber(arguments[5])
  read(arguments[2])
  math.randomseed(number)
  if arguments[6] == "strict" then
    response = look
  end
end

function request()
  number = number + 1
  return loads[load_name]()
end

function done(summary, latency)
  local errors = summary.errors
  local lost = errors.connect + errors.read + errors.write + errors.timeout
  local unlike = errors.status
  for _, thread in ipairs(threads) do
    unlike = math.max(unlike, thread:get("refused"))
    io.write("sample\t", (thread:get("sample"):gsub("%s+", " ")), "\n")
  end
  local numbers = {summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), unlike, lost}
  io.write("result\t", table.concat(numbers, "\t"), "\n")
end
