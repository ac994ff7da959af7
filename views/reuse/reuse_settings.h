// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/common/method_form.h"

class QLabel;
class QPushButton;

namespace tamis::views {

class ElidedLabel;

/// What the frame player is asked for: the sequence, the method with its parameters as live sliders, what is kept to compare with, and the way
/// to the plan. What is shown is what the owner sets.
class ReuseSettings : public MethodForm {
    Q_OBJECT
public:
    explicit ReuseSettings(QWidget* parent = nullptr);

    void setSequence(const QString& folder, const QString& description, bool bundled); ///< empty folder: none is open
    void setDisabledReason(const QString& reason); ///< why nothing can be run, said below the buttons; empty: it can
    void setKeepReason(const QString& reason);     ///< why the present run cannot be kept; empty: it can
    void setRunning(bool running);                 ///< a comparison runs: its button stops it
    void setSweep(const QString& parameter, const QString& reason); ///< what a sweep of the key goes through, and why it cannot; no parameter: there is no key
    void setPlanned(const QString& title, bool same, const QString& reason); ///< what the plan has (empty: nothing), whether it is this, why this cannot be put

signals:
    void openRequested();
    void bundledRequested();
    void keepRequested();
    void forgetRequested(); ///< all that is kept
    void compareRequested();
    void sweepRequested();
    void stopRequested();
    void planRequested();
    void unplanRequested();

private:
    void buildSequence();
    void buildCompare();
    void buildPlan();
    QPushButton* button(const char* name, const QString& icon, const QString& title, const QString& help);

    ElidedLabel* m_folder = nullptr;
    QLabel *m_description = nullptr, *m_reason = nullptr, *m_planned = nullptr;
    QPushButton *m_bundled = nullptr, *m_keep = nullptr, *m_forget = nullptr, *m_compare = nullptr, *m_stop = nullptr, *m_sweep = nullptr, *m_plan = nullptr, *m_unplan = nullptr;
    QString m_disabled;
};

} // namespace tamis::views
