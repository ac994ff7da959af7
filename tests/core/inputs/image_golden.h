// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The pictures and results of tests/golden/make_image_goldens.py.
#include "core/inputs/image.h"
#include "core/io/npz.h"

#include <QFile>
#include <QList>
#include <QString>

#include <memory>
#include <string>
#include <vector>

namespace tamis::test {

struct ImageGolden {
    QString name, kind, photo, detail;
};

inline QList<ImageGolden> imageGoldens(const QString& kind)
{
    QList<ImageGolden> goldens;
    QFile table(QStringLiteral(TAMIS_SOURCE_DIR "/tests/golden/images.tsv"));
    if (table.open(QIODevice::ReadOnly))
        for (const QByteArray& line : table.readAll().split('\n'))
            if (const QStringList fields = QString::fromUtf8(line).split('\t'); fields.size() == 4 && fields[1] == kind)
                goldens.append({fields[0], fields[1], fields[2], fields[3]});
    return goldens;
}

inline const io::NpzArchive& imageArchive()
{
    static const auto archive = io::NpzArchive::open(TAMIS_SOURCE_DIR "/tests/golden/images.npz");
    return *archive;
}

/// A member of shape [height, width, 3].
inline inputs::Image goldenImage(const io::NpzArchive& archive, const std::string& name)
{
    const io::NpyArray array = archive.read(name);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(array.bytes.data());
    return {array.shape.at(1), array.shape.at(0), std::vector<std::uint8_t>(bytes, bytes + array.bytes.size())};
}

} // namespace tamis::test
