-- As much of REAPER's API as the script uses: one selected item, one mouse click, and a record of
-- what was inserted and played. Arguments: script, source file, port, then the keys to press, one
-- each time all is there; "click N" is a click on row N.
local script, path, port = arg[1], arg[2], arg[3]
local keys = { table.unpack(arg, 4) }

local inserted, deferred, drawn, turn = {}, nil, {}, 0
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
  InsertMedia = function(file, mode) inserted.path, inserted.mode = file, mode end,
  CountSelectedTracks = function() return 1 end,
  PCM_Source_CreateFromFile = function(file) return file end,
  CF_CreatePreview = function(source) return { source = source } end,
  CF_Preview_SetValue = function(preview, name, value) preview[name] = value end,
  CF_Preview_Play = function(preview) print("PLAYED", preview.source, preview.D_POSITION) end,
  CF_Preview_Stop = function() end,
  GetCursorPosition = function() return 42.0 end,
  SetEditCurPos = function() end,
  Main_OnCommand = function() end,
  Undo_BeginBlock = function() end,
  Undo_EndBlock = function() end,
  UpdateArrange = function() end,
  time_precise = function() return require("socket").gettime() end,
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
    drawn, gfx.mouse_cap = {}, 0
    if not is_done then return 0 end
    turn = turn + 1
    local key = keys[turn]
    if not key then
      for _, text in ipairs(shown) do print("ROW", text) end
      return 27
    end
    local row = key:match("^click (%d+)$")
    if row then
      gfx.mouse_cap, gfx.mouse_y = 1, 34 + 22 * (tonumber(row) - 1) + 5
      return 0
    end
    return key:byte()
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
print("MODE", inserted.mode)
