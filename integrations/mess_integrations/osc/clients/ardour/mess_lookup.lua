ardour {
  ["type"] = "EditorAction",
  name = "MESS: what feels like the selection?",
  author = "MESS",
  license = "Apache-2.0",
  description = [[
Asks `mess osc` about the selected region, or about the part of it inside the selected range. Each match
becomes a range marker over what was asked about, named after its score, title and place; one of them
can be put on a track of its own, beside the selection.

Needs Python with python-osc, and mess_ardour.py beside this script. docs/osc/ardour.md says more.]]
}

-- Ardour stores the function that is returned alone, so all that it needs stands inside.
function factory (params) return function ()
  local HOW_MANY = 9
  local PORT = os.getenv ("MESS_OSC_PORT") or "7770"
  local PYTHON = os.getenv ("MESS_PYTHON") or "python3"
  local SCRIPT = os.getenv ("MESS_ARDOUR")
    or ARDOUR.LuaAPI.build_filename (ARDOUR.user_config_directory (-1), "scripts", "mess_ardour.py")
  local PREFIX = "MESS "

  local function say (text)
    if LuaDialog then
      LuaDialog.Message ("MESS", text, LuaDialog.MessageType.Info, LuaDialog.ButtonType.Close):run ()
    else
      print ("MESS: " .. text)
    end
  end

  local function quoted (text)
    return "'" .. text:gsub ("'", "'\\''") .. "'"
  end

  -- The first selected audio region; without an editor, the first one of the session.
  local function chosen_region ()
    if Editor then
      for region in Editor:get_selection ().regions:regionlist ():iter () do
        if not region:to_audioregion ():isnil () then return region end
      end
      return nil
    end
    for route in Session:get_routes ():iter () do
      local track = route:to_track ()
      if not track:isnil () then
        for region in track:playlist ():region_list ():iter () do
          if not region:to_audioregion ():isnil () then return region end
        end
      end
    end
    return nil
  end

  -- Where the question begins and ends, in samples of the session: the region, cut to the range.
  local function asked_span (region)
    local first = region:position ():samples ()
    local last = first + region:length ():samples ()
    if Editor then
      local range = Editor:get_selection ().time
      local from, to = range:start_sample (), range:end_sample ()
      if from < to and from < last and to > first then
        first, last = math.max (first, from), math.min (last, to)
      end
    end
    return first, last
  end

  local function ask (path, start_s, end_s)
    local command = string.format ("%s %s --port %s ask -k %d %s %.3f %.3f", quoted (PYTHON),
      quoted (SCRIPT), PORT, HOW_MANY, quoted (path), start_s, end_s)
    local pipe = io.popen (command)
    if not pipe then return nil, "cannot run " .. command end
    local rows, failure = {}, nil
    for line in pipe:lines () do
      local fields = {}
      for field in (line .. "\t"):gmatch ("(.-)\t") do fields[#fields + 1] = field end
      if fields[1] == "error" then
        failure = fields[2]
      elseif #fields == 6 then
        rows[#rows + 1] = { label = fields[5], path = fields[6],
          start_s = tonumber (fields[3]), end_s = tonumber (fields[4]) }
      end
    end
    if not pipe:close () and not failure then
      failure = "mess_ardour.py did not run: see the first lines of this script"
    end
    return rows, failure
  end

  -- One range marker a match. Those of an earlier question about the same place go.
  local function mark (rows, first, last)
    local locations, old = Session:locations (), {}
    for place in locations:list ():iter () do
      if place:is_range_marker () and place:name ():sub (1, #PREFIX) == PREFIX
        and place:start ():samples () == first and place:_end ():samples () == last then
        old[#old + 1] = place
      end
    end
    for _, place in ipairs (old) do locations:remove (place) end
    for _, row in ipairs (rows) do
      local place = locations:add_range (Temporal.timepos_t (first), Temporal.timepos_t (last))
      place:set_name (PREFIX .. row.label)
    end
  end

  -- Put a match on a new track, so that its stretch begins where the selection does.
  local function put_on_track (row, first)
    local files = C.StringVector ()
    files:push_back (row.path)
    local at = first - math.floor (row.start_s * Session:nominal_sample_rate ())
    if at < 0 then at = first end -- the file would begin before the session: not aligned
    Editor:do_import (files, Editing.ImportDistinctFiles, Editing.ImportAsTrack,
      ARDOUR.SrcQuality.SrcBest, ARDOUR.MidiTrackNameSource.SMFTrackName,
      ARDOUR.MidiTempoMapDisposition.SMFTempoIgnore, Temporal.timepos_t (at),
      ARDOUR.PluginInfo (), ARDOUR.Track (), false)
  end

  -- Which match to put on a track; nil for none.
  local function choose (rows)
    local values = { ["none: the markers are enough"] = 0 }
    for place, row in ipairs (rows) do values[place .. "  " .. row.label] = place end
    local answer = LuaDialog.Dialog ("MESS", {
      { type = "dropdown", key = "row", title = "Put on a track", values = values,
        default = "1  " .. rows[1].label },
    }):run ()
    return answer and rows[answer.row]
  end

  local region = chosen_region ()
  if not region then return say ("select an audio region first") end
  local source = region:source (0):to_filesource ()
  if source:isnil () then return say ("the region has no file: bounce or consolidate it first") end
  local rate = Session:nominal_sample_rate ()
  local first, last = asked_span (region)
  local offset = region:start ():samples () - region:position ():samples ()
  local rows, failure = ask (source:path (), (first + offset) / rate, (last + offset) / rate)
  if failure then return say (failure) end
  if #rows == 0 then return say ("nothing in the library answers") end
  mark (rows, first, last)
  if Editor then
    local row = choose (rows)
    if row then put_on_track (row, first) end
  end
end end
