// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A line of plain text that ends in dots where it has no room; text() is all of it.
#include "views/common/theme.h"

#include <QLabel>

namespace tamis::views {

/// Takes the width that it is given and asks for none. Its text can be selected.
class ElidedLabel : public QLabel {
public:
    ElidedLabel(QWidget* parent, const QString& name, Ink ink);
    bool elided() const; ///< some of the text is not seen

protected:
    void paintEvent(QPaintEvent* event) override;
};

} // namespace tamis::views
