#!/usr/bin/env bash
# Write the files of this folder with ImageMagick 6.9 and libtiff 4.5's tiffcp, from source.png.
#
#     tests/cli/foreign/make.sh
set -euo pipefail
cd "$(dirname "$0")"

convert source.png -colorspace CMYK cmyk.jpg
convert source.png -colorspace CMYK cmyk.tif
convert source.png -colorspace CMYK -depth 16 cmyk16.tif
convert source.png -colorspace Lab lab.tif
convert source.png -depth 16 deep.tif
convert source.png -set depth 16 -define png:bit-depth=16 deep.png
convert source.png -compress LZW -type Palette palette.tif
convert source.png -colors 64 png8:palette.png
convert source.png -define quantum:format=floating-point -depth 32 float.tif
convert source.png -compress JPEG -quality 95 jpeg.tif
convert source.png -quality 95 -interlace JPEG progressive.jpg
convert source.png -interlace PNG interlaced.png
convert source.png -endian MSB big-endian.tif
convert source.png -compress Zip zip.tif
convert source.png -alpha set -channel A -evaluate set 50% transparent.tif
convert source.png -define webp:lossless=true lossless.webp
convert source.png -compress None plain.tif
tiffcp -p separate plain.tif planes.tif
tiffcp -t -w 16 -l 16 -c lzw:2 plain.tif tiles.tif
tiffcp -c packbits plain.tif packbits.tif
for form in "-compress Group4 mask-g4.tif" "mask.png" "-compress RLE mask-rle.tif"; do
  # shellcheck disable=SC2086
  convert -size 24x16 xc:black -fill white -draw "rectangle 6,4 14,10" -monochrome $form
done
