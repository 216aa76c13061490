-- MESS: what in my library feels like the selected item?
--
-- Takes the first selected item (or its part inside the time selection), asks `mess osc`, and lists
-- the matches. A click plays a match, a double click or a number key puts it on the selected track at
-- the edit cursor (on a new track where none is selected). t and k: only the same tempo, the same key.
-- Needs LuaSocket: ReaPack package "mavriq-lua-sockets"; playing needs the SWS extension.
-- docs/osc/reaper.md says more.

local HOST, PORT = "127.0.0.1", 7770
local SECRET = ""        -- what MESS_OSC_SECRET says, if it is set
local HOW_MANY = 9
local GIVE_UP_S = 30     -- for the answer, once MESS has said that it is there
local PATIENCE_S = 1     -- for MESS to say so
local DOUBLE_CLICK_S = 0.4

local sockets = reaper.GetResourcePath()
  .. "/Scripts/Mavriq ReaScript Repository/Various/Mavriq-Lua-Sockets/"
package.path = package.path .. ";" .. sockets .. "?.lua"
package.cpath = package.cpath .. ";" .. sockets .. "?.dll;" .. sockets .. "?.so"

-- OSC ------------------------------------------------------------------------------------------

local function padded(text)
  return text .. ("\0"):rep(4 - #text % 4)
end

-- Strings go as s, integers as i, floats as f.
local function encode(address, ...)
  local tags, body = ",", ""
  for _, value in ipairs({ ... }) do
    if type(value) == "string" then
      tags, body = tags .. "s", body .. padded(value)
    elseif math.type(value) == "integer" then
      tags, body = tags .. "i", body .. string.pack(">i4", value)
    else
      tags, body = tags .. "f", body .. string.pack(">f", value)
    end
  end
  return padded(address) .. padded(tags) .. body
end

local function read_string(packet, at)
  local stop = packet:find("\0", at, true) or #packet + 1
  local next_at = at + (stop - at) // 4 * 4 + 4
  return packet:sub(at, stop - 1), next_at
end

local function decode(packet)
  local address, at = read_string(packet, 1)
  local tags
  tags, at = read_string(packet, at)
  local values = {}
  for tag in tags:sub(2):gmatch(".") do
    local value
    if tag == "s" then
      value, at = read_string(packet, at)
    elseif tag == "i" then
      value, at = string.unpack(">i4", packet, at)
    elseif tag == "f" then
      value, at = string.unpack(">f", packet, at)
    else
      return address, {}
    end
    values[#values + 1] = value
  end
  return address, values
end

-- What is asked about --------------------------------------------------------------------------

-- File, start and end in seconds of the file; or nil and what is wrong.
local function selected_stretch()
  local item = reaper.GetSelectedMediaItem(0, 0)
  if not item then return nil, "Select an audio item first." end
  local take = reaper.GetActiveTake(item)
  if not take or reaper.TakeIsMIDI(take) then return nil, "The selected item holds no audio." end
  local source = reaper.GetMediaItemTake_Source(take)
  local parent = reaper.GetMediaSourceParent(source)  -- a section or a reversed source
  local path = reaper.GetMediaSourceFileName(parent or source, "")
  if path == "" then return nil, "The selected item has no file yet: save or glue it first." end
  if parent then return path, 0.0, 0.0 end

  local position = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
  local finish = position + reaper.GetMediaItemInfo_Value(item, "D_LENGTH")
  local from, to = reaper.GetSet_LoopTimeRange(false, false, 0, 0, false)
  if to > from and from < finish and to > position then
    from, to = math.max(from, position), math.min(to, finish)
  else
    from, to = position, finish
  end
  local offset = reaper.GetMediaItemTakeInfo_Value(take, "D_STARTOFFS")
  local rate = reaper.GetMediaItemTakeInfo_Value(take, "D_PLAYRATE")
  local start = offset + (from - position) * rate
  return path, math.max(0.0, start), offset + (to - position) * rate
end

local function insert(match)
  reaper.Undo_BeginBlock()
  local at = reaper.GetCursorPosition()
  reaper.Main_OnCommand(40289, 0)  -- unselect all items
  local mode = reaper.CountSelectedTracks(0) > 0 and 0 or 1  -- 0: on the selected track, 1: on a new one
  reaper.InsertMedia(match.path, mode)
  local item = reaper.GetSelectedMediaItem(0, 0)
  local take = item and reaper.GetActiveTake(item)
  if take then
    reaper.SetMediaItemTakeInfo_Value(take, "D_STARTOFFS", match.start)
    reaper.SetMediaItemInfo_Value(item, "D_LENGTH", match.finish - match.start)
    reaper.SetMediaItemInfo_Value(item, "D_POSITION", at)
  end
  reaper.SetEditCurPos(at, false, false)
  reaper.Undo_EndBlock("Insert MESS match", -1)
  reaper.UpdateArrange()
end

-- Hearing --------------------------------------------------------------------------------------

local playing = { preview = nil, stop_at = 0 }

local function stop_playing()
  if playing.preview then reaper.CF_Preview_Stop(playing.preview) end
  playing.preview = nil
end

-- Plays the stretch of a match; false where the SWS extension is missing.
local function hear(match)
  if not reaper.CF_CreatePreview then return false end
  stop_playing()
  local source = reaper.PCM_Source_CreateFromFile(match.path)
  if not source then return false end
  local preview = reaper.CF_CreatePreview(source)
  reaper.CF_Preview_SetValue(preview, "D_POSITION", match.start)
  reaper.CF_Preview_Play(preview)
  playing.preview = preview
  playing.stop_at = reaper.time_precise() + match.finish - match.start
  return true
end

-- Asking and answering -------------------------------------------------------------------------

local state = {
  matches = {}, message = "", asked_at = 0, is_done = false, is_there = false,
  same_tempo = false, same_key = false,
}

local function receive(packet)
  local address, v = decode(packet)
  state.is_there = true
  if address == "/mess/lookup/match" then
    state.matches[#state.matches + 1] = {
      rank = v[2], score = v[4], start = v[5], finish = v[6],
      artist = v[8], title = v[9], path = v[10],
    }
  elseif address == "/mess/lookup/done" then
    state.is_done = true
    state.message = v[2] == 0 and "Nothing in the library feels like this." or ""
  elseif address == "/mess/error" then
    state.is_done = true
    state.message = v[4] or "MESS reported an error."
  end
end

local function poll(udp)
  for _ = 1, 64 do
    local packet = udp:receive()
    if not packet then break end
    receive(packet)
  end
  local patience_s = state.is_there and GIVE_UP_S or PATIENCE_S
  if not state.is_done and reaper.time_precise() - state.asked_at > patience_s then
    state.is_done = true
    state.message = "MESS does not answer. Is `mess osc` running?"
  end
end

local function clock(seconds)
  return ("%d:%04.1f"):format(seconds // 60, seconds % 60)
end

local function line(match)
  local name = match.title ~= "" and match.title or match.path:match("[^/\\]+$")
  if match.artist ~= "" then name = match.artist .. " - " .. name end
  return ("%d  %3.0f%%  %s - %s  %s"):format(
    match.rank, match.score * 100, clock(match.start), clock(match.finish), name)
end

-- Does something with a match whose path came whole.
local function with_match(number, act)
  local match = state.matches[number]
  if not match then return end
  if match.path:sub(1, 3) == "…" then
    state.message = "The path of this file is too long to be sent."
  else
    act(match)
  end
end

local function choose(number)
  stop_playing()
  with_match(number, insert)
end

local function play(number)
  with_match(number, function(match)
    if not hear(match) then state.message = "Install the SWS extension to hear matches here." end
  end)
end

local ROW, TOP = 22, 34
local was_down, clicked, clicked_at = false, 0, -1

local function click(number)
  local now = reaper.time_precise()
  if number == clicked and now - clicked_at < DOUBLE_CLICK_S then choose(number) else play(number) end
  clicked, clicked_at = number, now
end

local function draw()
  gfx.set(0.6, 0.6, 0.6)
  gfx.x, gfx.y = 10, 8
  gfx.drawstr(("[%s] t same tempo   [%s] k same key   click: hear   double click, number: insert"):format(
    state.same_tempo and "x" or " ", state.same_key and "x" or " "))
  gfx.set(0.9, 0.9, 0.9)
  for number, match in ipairs(state.matches) do
    gfx.x, gfx.y = 10, TOP + (number - 1) * ROW
    gfx.drawstr(line(match))
  end
  gfx.x, gfx.y = 10, TOP + 4 + #state.matches * ROW
  gfx.drawstr(state.is_done and state.message or "Listening ...")
  local is_down = gfx.mouse_cap & 1 == 1
  if is_down and not was_down then click((gfx.mouse_y - TOP) // ROW + 1) end
  was_down = is_down
  if playing.preview and reaper.time_precise() > playing.stop_at then stop_playing() end
  gfx.update()
end

local function main()
  local found, socket = pcall(require, "socket")
  if not found then
    reaper.MB("Install the ReaPack package mavriq-lua-sockets first.", "MESS", 0)
    return
  end
  local path, start, finish = selected_stretch()
  if not path then
    reaper.MB(start, "MESS", 0)
    return
  end
  local udp = socket.udp()
  udp:setpeername(HOST, PORT)
  udp:settimeout(0)
  local function ask()
    local request = {
      "/mess/lookup/file", "reaper", path, start + 0.0, finish + 0.0, "k", HOW_MANY,
    }
    local function key(name, value)
      request[#request + 1] = name
      request[#request + 1] = value
    end
    if state.same_tempo then key("tempo", "same") end
    if state.same_key then key("key", "same") end
    if SECRET ~= "" then key("auth", SECRET) end
    state.matches, state.message, state.is_done, state.is_there = {}, "", false, false
    udp:send(encode("/mess/client/port", 0))  -- answers come to this very socket
    udp:send(encode("/mess/ping"))
    udp:send(encode(table.unpack(request)))
    state.asked_at = reaper.time_precise()
  end

  ask()
  gfx.init("MESS: feels like " .. path:match("[^/\\]+$"), 680, 280)

  local function loop()
    poll(udp)
    draw()
    local key = gfx.getchar()
    if key >= 49 and key <= 57 then choose(key - 48) end
    if key == string.byte("t") then
      state.same_tempo = not state.same_tempo
      ask()
    elseif key == string.byte("k") then
      state.same_key = not state.same_key
      ask()
    end
    if key >= 0 and key ~= 27 then
      reaper.defer(loop)
    else
      stop_playing()
      udp:close()
      gfx.quit()
    end
  end
  loop()
end

main()
