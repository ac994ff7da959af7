// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QSlider>
#include <QTimer>
#include <QWidget>

#include <vector>

class QComboBox;
class QLabel;
class QToolButton;

namespace tamis::views {

/// A slider over the frames of a sequence with marks below it: key frames as triangles, scene cuts as lines.
class ScrubSlider : public QSlider {
    Q_OBJECT
public:
    explicit ScrubSlider(QWidget* parent = nullptr);
    void setMarks(const std::vector<int>& keyFrames, const std::vector<int>& sceneCuts);
    const std::vector<int>& keyFrames() const noexcept { return m_keys; }
    const std::vector<int>& sceneCuts() const noexcept { return m_cuts; }
    double xOf(int frame) const; ///< of the handle's middle there, this widget's pixels
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override; ///< the handle goes to where the press is

private:
    std::vector<int> m_keys, m_cuts;
};

/// Play, pause, step, scrub, speed. Playing goes round; a step, a scrub or a jump by the user ends it. The frame is changed by this bar or by
/// setFrame(); each change by this bar is told.
class TransportBar : public QWidget {
    Q_OBJECT
public:
    explicit TransportBar(QWidget* parent = nullptr);
    void setFrameCount(int count); ///< 0: nothing to play
    int frameCount() const noexcept { return m_count; }
    void setFrame(int frame);      ///< without a signal; clamped
    int frame() const;
    void setMarks(const std::vector<int>& keyFrames, const std::vector<int>& sceneCuts);
    void play();
    void pause();
    bool isPlaying() const { return m_timer.isActive(); }
    void step(int by); ///< pauses
    double framesPerSecond() const;
    ScrubSlider* slider() const { return m_slider; }

signals:
    void frameChanged(int frame);
    void playingChanged(bool playing);

private:
    void goTo(int frame);
    void showIcons(); ///< in the colours of the theme of now
    void showState();

    int m_count = 0;
    QTimer m_timer;
    QToolButton *m_first, *m_back, *m_play, *m_forward, *m_last;
    ScrubSlider* m_slider;
    QLabel* m_position;
    QComboBox* m_speed;
};

} // namespace tamis::views
