// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/common/method_form.h"

class QComboBox;
class QLabel;
class QPushButton;

namespace tamis::views {

class ElidedLabel;

/// The settings of the levels: what they are asked for, and the method's parameters as live sliders. What is shown is what the owner sets.
class LevelsSettings : public MethodForm {
    Q_OBJECT
public:
    explicit LevelsSettings(QWidget* parent = nullptr);
    void setFrames(const QString& folder); ///< empty: the trace of the tab
    void setTrace(const QString& file);    ///< of the tab; empty: none
    void setCursorLevel(const QString& level); ///< "l1" to "l3" or "none"; without a signal

signals:
    void framesRequested();
    void traceRequested(); ///< instead of frames
    void cursorLevelEdited(const QString& level);

private:
    void showSource();
    void addCursor();
    QString m_frames, m_trace;
    ElidedLabel* m_source;
    QPushButton* m_useTrace;
    QComboBox* m_cursor;
};

} // namespace tamis::views
