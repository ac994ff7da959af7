// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/lowrank/lab_choice.h"

#include <QWidget>

class QComboBox;
class QDoubleSpinBox;
class QLabel;
class QPushButton;
class QSlider;
class QVBoxLayout;

namespace tamis::views {

class ParameterEditor;

/// One method of the lab with its parameters and budget. Edits are told at once; what is shown is what the owner sets.
class RunSettings : public QWidget {
    Q_OBJECT
public:
    explicit RunSettings(QWidget* parent = nullptr);

    void setMethods(const std::vector<LabMethod>& methods); ///< keeps the method that is chosen
    void setBudgetNames(const BudgetNames& names);
    /// Shows a configuration without a signal; `parameters` may be incomplete. A slider that is held keeps its value.
    void setChoice(const QString& method, const Parameters& parameters, const BudgetChoice& budget);
    QString method() const;
    double keep() const;
    void setTraining(const QString& text);                ///< samples, in words; empty: none
    void setRunReason(const QString& reason);             ///< why Run cannot start; empty: it can
    void setStoreReason(const QString& reason);

    ParameterEditor* parameters() const { return m_parameters; }

signals:
    void methodEdited(const QString& id);
    void parameterEdited(const QString& name, const tamis::ParameterValue& value, bool finished);
    void keepEdited(double keep, bool finished); ///< `finished` false while the slider is held
    void budgetEdited(const tamis::views::BudgetChoice& budget); ///< all but the keep
    void trainingRequested();
    void runRequested();
    void storeRequested();
    void compareRequested(); ///< add what is set here to the comparison

private:
    void buildMethod(QVBoxLayout* column);
    void buildBudget(QVBoxLayout* column);
    void buildActions(QVBoxLayout* column);
    void showMethod();
    void tellBudget();
    const LabMethod* chosen() const;

    std::vector<LabMethod> m_methods;
    QString m_schemaOf; ///< method whose schema the editor has
    QComboBox *m_method, *m_allocation, *m_accounting, *m_alignment;
    QLabel *m_reference, *m_training, *m_trainingTitle;
    QPushButton *m_trainingChoose, *m_run, *m_store, *m_compare;
    QSlider* m_slider;
    QDoubleSpinBox* m_spin;
    ParameterEditor* m_parameters;
    QString m_samples; ///< in words; empty: none
};

} // namespace tamis::views
