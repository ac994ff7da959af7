// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/images/image_loading.h"

#include "core/base/error.h"
#include "core/io/tensor_entry.h"

#include <QBuffer>
#include <QFile>
#include <QFileInfo>
#include <QImage>
#include <QImageReader>

#include <algorithm>
#include <cstring>
#include <set>
#include <system_error>
#include <utility>

namespace tamis::app {
namespace {
namespace fs = std::filesystem;

constexpr int kDecodedMiB = 1024;
static_assert(ImageLimits{}.pixels * 8 <= std::int64_t{kDecodedMiB} << 20);

QString qtPath(const fs::path& file) { return QFile::decodeName(QByteArray::fromStdString(file.string())); }

const std::set<QByteArray>& formats()
{
    static const std::set<QByteArray> known = [] {
        const QList<QByteArray> all = QImageReader::supportedImageFormats();
        std::set<QByteArray> raster(all.begin(), all.end());
        for (const char* drawn : {"svg", "svgz", "pdf", "cur", "ico", "xpm", "xbm"})
            raster.erase(drawn);
        return raster;
    }();
    return known;
}

/// Channels of 16 bits: 64 bits a pixel, or one grey channel of 16.
bool hasWideChannels(const QImage& picture)
{
    return picture.format() == QImage::Format_Grayscale16 || picture.pixelFormat().bitsPerPixel() == 64;
}

inputs::Image toRgb(const QImage& decoded, const std::string& subject)
{
    inputs::Image image = inputs::blankImage(decoded.width(), decoded.height(), subject);
    const bool wide = hasWideChannels(decoded);
    const bool grey = decoded.format() == QImage::Format_Grayscale16;
    // Neither target is premultiplied, so colours under a transparent pixel stay what the file says.
    const QImage picture = grey ? decoded : decoded.convertToFormat(wide ? QImage::Format_RGBA64 : QImage::Format_ARGB32);
    if (picture.isNull())
        throw Error(ErrorCode::OutOfMemory, "cannot be converted to 8-bit colours: not enough memory", subject);
    for (int y = 0; y < picture.height(); ++y) {
        std::uint8_t* target = image.row(y);
        const uchar* line = picture.constScanLine(y);
        for (int x = 0; x < picture.width(); ++x, target += 3) {
            if (wide) {
                const auto* words = reinterpret_cast<const quint16*>(line) + (grey ? x : x * 4);
                for (int channel = 0; channel < 3; ++channel)
                    target[channel] = static_cast<std::uint8_t>(words[grey ? 0 : channel] >> 8);
            } else {
                const QRgb pixel = reinterpret_cast<const QRgb*>(line)[x];
                target[0] = static_cast<std::uint8_t>(qRed(pixel));
                target[1] = static_cast<std::uint8_t>(qGreen(pixel));
                target[2] = static_cast<std::uint8_t>(qBlue(pixel));
            }
        }
    }
    return image;
}

QByteArray readWhole(const fs::path& file, const ImageLimits& limits)
{
    const std::string subject = file.string();
    const QFileInfo status(qtPath(file));
    if (!status.exists())
        throw Error(ErrorCode::IoFailure, "does not exist", subject);
    if (!status.isFile()) // opening a pipe would wait for its writer
        throw Error(ErrorCode::IoFailure, "is not a regular file, expected a picture", subject);
    if (status.size() > limits.fileBytes)
        throw Error(ErrorCode::LimitExceeded,
                    "has " + std::to_string(status.size()) + " bytes, at most " + std::to_string(limits.fileBytes) + " are read of a picture", subject);
    QFile opened(qtPath(file));
    if (!opened.open(QIODevice::ReadOnly))
        throw Error(ErrorCode::IoFailure, "cannot be opened: " + opened.errorString().toStdString(), subject);
    QByteArray bytes = opened.read(limits.fileBytes);
    if (opened.error() != QFileDevice::NoError)
        throw Error(ErrorCode::IoFailure, "cannot be read: " + opened.errorString().toStdString(), subject);
    if (bytes.isEmpty())
        throw Error(ErrorCode::MalformedFile, "is empty, expected a picture", subject);
    return bytes;
}

/// A JPEG that ends before its end marker: the decoder would fill the rest of the picture with grey. `bytes` is a sequence of
/// segments FF xx length ... up to the first scan, in which FF D9 can only be the end of the picture.
bool isCutJpeg(const QByteArray& bytes)
{
    const auto byte = [&](qsizetype i) { return static_cast<unsigned char>(bytes[i]); };
    qsizetype at = 2;
    while (at + 4 <= bytes.size() && byte(at) == 0xFF) {
        if (byte(at + 1) == 0xFF) { // padding
            ++at;
            continue;
        }
        if (byte(at + 1) == 0xDA)
            return bytes.indexOf("\xFF\xD9", at) < 0;
        at += 2 + (byte(at + 2) << 8 | byte(at + 3));
    }
    return false; // no scan here: the decoder says what is wrong
}

[[noreturn]] void refuse(const QImageReader& reader, const QByteArray& format, const std::string& subject)
{
    const std::string reason = reader.errorString().toStdString();
    switch (reader.error()) {
    case QImageReader::UnsupportedFormatError:
        throw Error(ErrorCode::UnsupportedFeature, "is not a picture of a known format: " + reason, subject);
    case QImageReader::DeviceError:
    case QImageReader::FileNotFoundError:
        throw Error(ErrorCode::IoFailure, "cannot be read: " + reason, subject);
    default:
        throw Error(ErrorCode::MalformedFile, "cannot be decoded as " + format.toStdString() + ": " + reason, subject);
    }
}

void collect(const fs::path& directory, bool recursive, std::size_t limit, std::vector<fs::path>& found)
{
    std::error_code failure;
    std::vector<fs::path> below;
    for (fs::directory_iterator entry(directory, failure), end; !failure && entry != end; entry.increment(failure)) {
        if (entry->path().filename().string().starts_with('.'))
            continue;
        std::error_code ignored;
        if (entry->is_directory(ignored)) {
            if (recursive && !entry->is_symlink(ignored))
                below.push_back(entry->path());
        } else if (isImageName(entry->path()) && entry->is_regular_file(ignored)) {
            if (found.size() == limit)
                throw Error(ErrorCode::LimitExceeded, "holds more than " + std::to_string(limit) + " pictures", directory.string());
            found.push_back(entry->path());
        }
    }
    if (failure)
        throw Error(ErrorCode::IoFailure, "cannot be listed: " + failure.message(), directory.string());
    for (const fs::path& each : below)
        collect(each, recursive, limit, found);
}

} // namespace

inputs::Image loadImage(const fs::path& file, const ImageLimits& limits)
{
    // Qt's limit, of the whole program, must let ImageLimits::pixels of 64 bits through; at 256 MiB it would refuse photos of 70 million.
    [[maybe_unused]] static const bool raised = (QImageReader::setAllocationLimit(kDecodedMiB), true);
    const std::string subject = file.string();
    QByteArray bytes = readWhole(file, limits);
    QBuffer buffer(&bytes);
    buffer.open(QIODevice::ReadOnly);
    QImageReader reader(&buffer);
    reader.setDecideFormatFromContent(true);
    reader.setAutoTransform(true);
    if (!reader.canRead())
        refuse(reader, {}, subject);
    const QByteArray format = reader.format();
    if (!formats().contains(format))
        throw Error(ErrorCode::UnsupportedFeature, "is a picture of the format " + format.toStdString() + ", expected JPEG, PNG or another of pixels",
                    subject);
    // Most formats state their size first; the reader's own limit holds for the others.
    if (const QSize size = reader.size(); size.isValid()) {
        inputs::checkImageSides(size.width(), size.height(), subject);
        if (qint64{size.width()} * size.height() > limits.pixels)
            throw Error(ErrorCode::LimitExceeded,
                        "has " + std::to_string(size.width()) + " x " + std::to_string(size.height()) + " pixels, at most " +
                            std::to_string(limits.pixels) + " are read",
                        subject);
    }
    if ((format == "jpeg" || format == "jpg") && isCutJpeg(bytes))
        throw Error(ErrorCode::MalformedFile, "is cut off: the picture does not end before the file does", subject);
    QImage decoded;
    if (!reader.read(&decoded) || decoded.isNull())
        refuse(reader, format, subject);
    if (qint64{decoded.width()} * decoded.height() > limits.pixels)
        throw Error(ErrorCode::LimitExceeded, "has more than " + std::to_string(limits.pixels) + " pixels", subject);
    return toRgb(decoded, subject);
}

bool isImageName(const fs::path& file)
{
    std::string ending = file.extension().string();
    if (ending.size() < 2)
        return false;
    std::transform(ending.begin(), ending.end(), ending.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return formats().contains(QByteArray::fromStdString(ending.substr(1)));
}

std::vector<fs::path> listImages(const fs::path& directory, bool recursive, std::size_t limit)
{
    std::error_code failure;
    const fs::file_status status = fs::status(directory, failure);
    if (!fs::exists(status))
        throw Error(ErrorCode::IoFailure, "does not exist", directory.string());
    if (!fs::is_directory(status))
        return {directory};
    std::vector<fs::path> found;
    collect(directory, recursive, limit, found);
    std::sort(found.begin(), found.end(), [](const fs::path& a, const fs::path& b) {
        return io::naturalLess(a.string(), b.string()) || (!io::naturalLess(b.string(), a.string()) && a < b);
    });
    return found;
}

} // namespace tamis::app
