# SPDX-License-Identifier: Apache-2.0
#
# embed.cmake - makes a C source of the page, with its style and scripts in it.
#
#   cmake -DFOLDER=tools/flamegraph -DOUTPUT=page.c -P embed.cmake

set(SCRIPTS data.js numbers.js views.js graph.js heat.js table.js page.js)

file(READ ${FOLDER}/page.html page)
file(READ ${FOLDER}/page.css style)
set(script "")
foreach(name IN LISTS SCRIPTS)
	file(READ ${FOLDER}/${name} part)
	string(APPEND script "${part}")
endforeach()
string(REPLACE "@STYLE@" "${style}" page "${page}")
string(REPLACE "@SCRIPT@" "${script}" page "${page}")

file(WRITE ${OUTPUT}.html "${page}")
file(READ ${OUTPUT}.html hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REPEAT "0x..," 16 line)
string(REGEX REPLACE "(${line})" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "/* made by embed.cmake from tools/flamegraph */
#include \"tools/flame_page.h\"

const char flame_page_html[] = {
${bytes}0 };
")
