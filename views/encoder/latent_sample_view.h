// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/encoder_tokens.h"
#include "views/common/figure.h"

#include <QStringList>
#include <QWidget>

#include <cstdint>
#include <memory>
#include <optional>

namespace tamis::views {

/// The tokens of one sample, coloured by the value that one latent has in their exact sets; hatched where the encoder misses it, with a dot where
/// only the encoder has it. The token under the pointer says its largest latents, a click makes it the current one; with focus the arrow keys
/// walk, Page Up and Page Down go to the next sample. Where tokens lie is the matter of the views that derive from it.
class LatentSampleView : public QWidget, public Figure {
    Q_OBJECT
public:
    explicit LatentSampleView(QWidget* parent = nullptr);

    void setSample(std::shared_ptr<const report::TokenPlaces> places, std::size_t sample); ///< null: none
    void setLatents(std::shared_ptr<const report::SampleLatents> latents); ///< of the sample; null: not yet
    void setLatent(std::int32_t latent); ///< to colour by; -1: none
    void setCut(std::int64_t cut);
    void setToken(std::int64_t token);   ///< among all measured ones; outlined where it is of the sample
    void setStale(bool stale);           ///< a badge says so
    void setCaption(const QString& settings) { m_caption = settings; }

    const report::TokenSample* sample() const; ///< nullptr: none
    int tokens() const;                        ///< of the sample
    int current() const noexcept { return m_current; } ///< in the sample; -1: the current token is in another
    const report::LatentMap& map() const noexcept { return m_map; } ///< empty without latents
    /// Where the at-th token of the sample is drawn, this widget's pixels; empty where it is not.
    virtual QRectF tokenRect(int at) const = 0;
    QColor tokenColor(int at) const;  ///< invalid: it does not fire there
    QRectF barRect() const;           ///< of the colour bar
    QStringList hoverLines() const;   ///< of the token under the pointer

    QSize minimumSizeHint() const override { return {320, 220}; }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override; ///< token, place, exact, encoder, missed
    QString figureCaption() const override;

signals:
    void tokenChosen(qlonglong token); ///< by the user
    void sampleStepped(int by);        ///< to the next sample, or the one before

protected:
    virtual void drawGround(QPainter& painter) const = 0;        ///< what tokens lie on
    virtual void drawToken(QPainter& painter, int at) const = 0; ///< on the ground: its colour
    virtual void drawWords(QPainter&, int /*at*/) const {}       ///< over its colour and hatching
    virtual float hatching() const { return 1; }                 ///< opacity, where there are words to be read
    virtual int step(int at, int key) const = 0;                 ///< token that an arrow key, Home or End leads to; -1: no such key
    virtual QRectF ground() const { return room(); }             ///< what the colour bar stands beside
    virtual void arrange() {}                                    ///< size, sample or current token have changed
    virtual QString tokenTitle(int at) const = 0;
    QRectF room() const; ///< between the head, the colour bar and the legend
    const std::shared_ptr<const report::TokenPlaces>& places() const noexcept { return m_places; }

    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    void follow(); ///< m_map
    int tokenAt(const QPointF& position) const;
    void draw(QPainter& painter, bool interactive) const;
    void drawHead(QPainter& painter) const;
    void drawMarks(QPainter& painter, bool interactive) const;
    void drawBar(QPainter& painter) const;
    void drawLegend(QPainter& painter) const;

    std::shared_ptr<const report::TokenPlaces> m_places;
    std::shared_ptr<const report::SampleLatents> m_latents;
    report::LatentMap m_map;
    std::size_t m_sample = 0;
    std::int32_t m_latent = -1;
    std::int64_t m_cut = 1, m_token = -1;
    int m_current = -1;
    bool m_stale = false;
    std::optional<int> m_hovered;
    QPointF m_pointer;
    QString m_caption;
};

/// Diagonal lines over `area` in `color`.
void drawHatch(QPainter& painter, const QRectF& area, const QColor& color);

} // namespace tamis::views
