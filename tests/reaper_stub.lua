-- As much of REAPER's API as the script uses: one selected item, one mouse click, and a record of
-- what was inserted. Arguments: script, source file, port, number key to press once all is there.
local script, path, port, key = arg[1], arg[2], arg[3], tonumber(arg[4])

local inserted, deferred, drawn, pressed = {}, nil, {}, false
local values = {
  D_POSITION = 100.0, D_LENGTH = 10.0, D_STARTOFFS = 5.0, D_PLAYRATE = 1.0,
}
local function value(_, name) return values[name] end
local function note(_, name, number) inserted[name] = number end

reaper = {
  GetResourcePath = function() return "/nowhere" end,
  GetSelectedMediaItem = function() return "item" end,
  GetActiveTake = function() return "take" end,
  TakeIsMIDI = function() return false end,
  GetMediaItemTake_Source = function() return "source" end,
  GetMediaSourceParent = function() return nil end,
  GetMediaSourceFileName = function() return path end,
  GetMediaItemInfo_Value = value,
  GetMediaItemTakeInfo_Value = value,
  GetSet_LoopTimeRange = function() return 102.0, 108.0 end,
  SetMediaItemTakeInfo_Value = note,
  SetMediaItemInfo_Value = note,
  InsertMedia = function(file) inserted.path = file end,
  GetCursorPosition = function() return 42.0 end,
  SetEditCurPos = function() end,
  Main_OnCommand = function() end,
  Undo_BeginBlock = function() end,
  Undo_EndBlock = function() end,
  UpdateArrange = function() end,
  time_precise = function() return os.time() end,
  MB = function(text) print("MB", text) end,
  defer = function(loop) deferred = loop end,
}
gfx = {
  mouse_cap = 0, mouse_y = 0, x = 0, y = 0,
  init = function(title) print("TITLE", title) end,
  set = function() end,
  update = function() end,
  quit = function() end,
  drawstr = function(text) drawn[#drawn + 1] = text end,
  getchar = function()
    local is_done = drawn[#drawn] ~= "Listening ..."
    local shown = drawn
    drawn = {}
    if not is_done then return 0 end
    if pressed then
      for _, text in ipairs(shown) do print("ROW", text) end
      return 27
    end
    pressed = true
    return key
  end,
}

local source = assert(io.open(script)):read("a"):gsub("7770", port)
assert(load(source, "@mess_lookup.lua"))()
local socket = require("socket")
local deadline = os.time() + 40
while deferred and os.time() < deadline do
  local loop = deferred
  deferred = nil
  socket.sleep(0.02)
  loop()
end
print("INSERTED", inserted.path, inserted.D_STARTOFFS, inserted.D_LENGTH, inserted.D_POSITION)
