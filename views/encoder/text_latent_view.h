// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/encoder/latent_sample_view.h"

#include <vector>

namespace tamis::views {

/// A piece of text as its tokens, line by line; a token that begins with a space stands apart from the one before it. What is longer than the
/// room is scrolled by the wheel and follows the current token.
class TextLatentView : public LatentSampleView {
    Q_OBJECT
public:
    explicit TextLatentView(QWidget* parent = nullptr);
    QRectF tokenRect(int at) const override;
    double overflow() const noexcept { return m_overflow; } ///< pixels of text that are not in sight

protected:
    void drawGround(QPainter& painter) const override;
    void drawToken(QPainter& painter, int at) const override;
    void drawWords(QPainter& painter, int at) const override;
    float hatching() const override { return 0.4F; }
    int step(int at, int key) const override;
    void arrange() override;
    QString tokenTitle(int at) const override;
    void wheelEvent(QWheelEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    QString word(int at) const; ///< without the space before it
    QFont wordFont() const { return font(); }
    std::vector<QRectF> m_flow; ///< of all tokens, from (0, 0) of the room
    double m_scroll = 0, m_overflow = 0;
    int m_followed = -1;        ///< current token that was last brought into sight
};

} // namespace tamis::views
