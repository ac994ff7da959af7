// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/encoder/latent_sample_view.h"

#include <QImage>

namespace tamis::views {

/// A photo with the grid of its patches; tokens that are no patch have their cells to the left of it.
class PhotoLatentView : public LatentSampleView {
    Q_OBJECT
public:
    explicit PhotoLatentView(QWidget* parent = nullptr);
    void setPhoto(const QImage& photo); ///< what the model sees: its corners are the grid's; null: none yet
    QRectF photoRect() const;
    QRectF tokenRect(int at) const override;

protected:
    void drawGround(QPainter& painter) const override;
    void drawToken(QPainter& painter, int at) const override;
    int step(int at, int key) const override;
    QRectF ground() const override { return photoRect(); }
    QString tokenTitle(int at) const override;

private:
    int prefix() const { return places() ? static_cast<int>(places()->prefix.size()) : 0; }
    int across() const { return places() ? static_cast<int>(places()->gridWidth) : 0; }
    int down() const { return places() ? static_cast<int>(places()->gridHeight) : 0; }
    double besideWidth() const; ///< of the cells beside the grid with their names
    QImage m_photo;
};

} // namespace tamis::views
