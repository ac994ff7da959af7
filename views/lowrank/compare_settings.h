// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/lowrank/lab_choice.h"

#include <QWidget>

class QCheckBox;
class QComboBox;
class QLabel;
class QLineEdit;
class QListWidget;
class QPushButton;
class QSpinBox;
class QVBoxLayout;

namespace tamis::views {

/// What to compare and on what: methods, keeps, budget, samples. Edits are told at once; what is shown is what the owner sets.
class CompareSettings : public QWidget {
    Q_OBJECT
public:
    explicit CompareSettings(QWidget* parent = nullptr);

    void setMethods(const std::vector<LabMethod>& methods); ///< keeps the checks of those that stay
    void setBudgetNames(const BudgetNames& names);
    void setChoice(const CompareChoice& choice); ///< without a signal
    CompareChoice choice() const;
    /// What was chosen, in words; empty: nothing yet.
    void setHeldOut(const QString& text);
    void setTraining(const QString& text);
    void setDisabledReason(const QString& reason); ///< why nothing can be compared now; empty: it can

signals:
    void choiceEdited(const tamis::views::CompareChoice& choice);
    void heldOutRequested();  ///< choose held-out samples
    void trainingRequested(); ///< choose samples to calibrate on
    void compareRequested();
    void curvesRequested();   ///< the checked methods at keep 0.9 to 0.3

private:
    void buildMethods(QVBoxLayout* column);
    void buildBudget(QVBoxLayout* column);
    void buildSamples(QVBoxLayout* column);
    void buildActions(QVBoxLayout* column);
    void keepsEdited();
    void showReference();
    void showActions();
    void tell();

    std::vector<LabMethod> m_known; ///< that the list shows
    QListWidget* m_methods;
    QLabel *m_reference, *m_problem, *m_heldOut, *m_training;
    QLineEdit* m_keeps;
    QComboBox *m_allocation, *m_accounting;
    QSpinBox* m_samples;
    QCheckBox* m_latency;
    QPushButton *m_compare, *m_curves;
    QList<double> m_valid{0.8, 0.6, 0.4}; ///< keeps as they were last right
    QString m_reason;
    bool m_showing = false;
};

} // namespace tamis::views
